"""Run the tasks of this project: ``python run.py``, twice to see that nothing is done again."""

from tasks import FindPeriod, MakeSignal

for noise in (0.1, 0.5, 1.0):
    task = FindPeriod(signal=MakeSignal(n=1000, period=50.0, noise=noise).as_input)
    period = task.run(reason="first look")
    print(f"noise {noise}: period {period:.1f} samples ({task.last_hit})")
