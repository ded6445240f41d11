from .cohort import Event as Event, run_cohort as run_cohort
from .job import Job as Job, run_job as run_job, summary as summary
from .manifest import Entry as Entry
