"""A tour of the Tasker: ``python run.py`` makes the files of this folder, and tells what is redone when."""

import sys
from pathlib import Path

from smttask import tasker

HERE = Path(__file__).parent
NUMBER = HERE / "anumber.txt"
DEPEND_ON_NUMBER = ["summary", "std_err", "report_everything"]


def main() -> None:
    """Tell the story; end with exit status 1 if it goes another way."""
    NUMBER.write_text("3\n", encoding="utf-8")
    t = tasker.use(HERE)
    t.clear()
    t.menu()

    print("\nThe report needs all the others, so they run first:")
    print(t.report_everything().read_text(encoding="utf-8"))
    t.menu()

    print("\nAsked again, nothing runs:")
    expect(t, [])
    print(f"  {t.report_everything()}, {t.summary()}")

    print("\nAnother number is in anumber.txt:")
    NUMBER.write_text("4\n", encoding="utf-8")
    expect(t, DEPEND_ON_NUMBER)
    print(t.report_everything().read_text(encoding="utf-8"))

    print("The table in the middle was deleted; it is made again, and what depends on it is still good:")
    t.random.clear()
    t.report_everything()
    expect(t, [])

    print("\nFiles of the folder, and the task that makes one of them:")
    print("  " + ", ".join(sorted(path.name for path in t.p.glob("*.txt"))))
    print(f"  summary.json: {t.which('summary.json')}")

    print("\nWith fewer numbers all is to be made again:")
    fewer = tasker.use(HERE, n=1000)
    expect(fewer, ["raw_random", "random", *DEPEND_ON_NUMBER])
    mean, error = fewer.mean_with_error()
    print(f"  mean {mean:.3f} +- {error:.3f}")
    NUMBER.write_text("3\n", encoding="utf-8")


def expect(t: tasker.Tasker, names: list[str]) -> None:
    """Print which tasks are stale and why; leave if they are not those of `names`."""
    stale = t.report()
    for each in stale:
        print(f"  stale: {each.name} ({each.why})")
    if [each.name for each in stale] != names:
        sys.exit(f"Expected {names}, found {[each.name for each in stale]}.")


if __name__ == "__main__":
    main()
