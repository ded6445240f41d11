from .cohort import (
    Event as Event,
)
from .cohort import (
    run_cohort as run_cohort,
)
from .job import (
    Job as Job,
)
from .job import (
    run_job as run_job,
)
from .job import (
    summary as summary,
)
from .manifest import Entry as Entry
