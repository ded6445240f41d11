from .command import (
    as_line as as_line,
)
from .command import (
    predict_command as predict_command,
)
from .device import (
    choose_device as choose_device,
)
from .device import (
    choose_precision as choose_precision,
)
from .device import (
    default_batch_size as default_batch_size,
)
from .device import (
    is_out_of_memory as is_out_of_memory,
)
from .domain import domain_warnings as domain_warnings
from .identity import (
    digest as digest,
)
from .identity import (
    model_identity as model_identity,
)
from .identity import (
    path_digest as path_digest,
)
from .lock import lock_folder as lock_folder
from .loop import (
    run as run,
)
from .loop import (
    run_to_end as run_to_end,
)
from .patches import (
    choose_level as choose_level,
)
from .patches import (
    cut_patch as cut_patch,
)
from .patches import (
    leaves_image as leaves_image,
)
from .patches import (
    level_side_px as level_side_px,
)
from .patches import (
    patch_side_px as patch_side_px,
)
from .progress import (
    Prediction as Prediction,
)
from .progress import (
    Progress as Progress,
)
from .record import package_versions as package_versions
from .work import (
    WorkFolder as WorkFolder,
)
from .work import (
    work_folder_of as work_folder_of,
)
