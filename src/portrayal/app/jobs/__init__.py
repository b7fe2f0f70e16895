"""Jobs: what is asked for, the queue that it waits in, and where it runs."""

from portrayal.app.jobs.queue import Jobs
from portrayal.app.jobs.task import Job, State, Task
from portrayal.app.jobs.worker import Report, Work, Worker
from portrayal.app.limits import Limits

__all__ = ["Job", "Jobs", "Limits", "Report", "State", "Task", "Work", "Worker"]
