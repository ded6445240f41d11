from .cluster import (
    cluster_runner as cluster_runner,
    connected as connected,
    local_cluster as local_cluster,
    threads_per_worker as threads_per_worker,
)
from .cohort import Event as Event, run_cohort as run_cohort
from .job import Job as Job, JobResult as JobResult, run_job as run_job
from .manifest import Entry as Entry
from .script import (
    CompareStep as CompareStep,
    MapStep as MapStep,
    PredictStep as PredictStep,
    Step as Step,
    python_script as python_script,
    shell_script as shell_script,
)
