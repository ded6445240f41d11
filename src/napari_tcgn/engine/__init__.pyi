from .before import sample_domain as sample_domain
from .command import (
    Files as Files,
    Repeat as Repeat,
    as_line as as_line,
    file_to_save as file_to_save,
    predict_command as predict_command,
    repeat_of as repeat_of,
)
from .device import (
    choose_device as choose_device,
    choose_precision as choose_precision,
    default_batch_size as default_batch_size,
    is_out_of_memory as is_out_of_memory,
    precision_reason as precision_reason,
)
from .domain import (
    OUTSIDE as OUTSIDE,
    domain_warnings as domain_warnings,
    is_outside as is_outside,
    outside_warnings as outside_warnings,
    stained_like as stained_like,
)
from .identity import (
    digest as digest,
    model_identity as model_identity,
    path_digest as path_digest,
    slide_digest as slide_digest,
)
from .lock import lock_folder as lock_folder
from .loop import run as run
from .patches import (
    choose_level as choose_level,
    choose_patches as choose_patches,
    cut_batch as cut_batch,
    cut_patch as cut_patch,
    leaves_image as leaves_image,
    level_side_px as level_side_px,
    patch_side_px as patch_side_px,
    patch_source as patch_source,
    reading_order as reading_order,
)
from .progress import Prediction as Prediction, Progress as Progress
from .record import (
    DAMAGED as DAMAGED,
    DomainRecord as DomainRecord,
    RunRecord as RunRecord,
    package_versions as package_versions,
)
from .steps import run_to_end as run_to_end, to_the_end as to_the_end
from .unfinished import UnfinishedRun as UnfinishedRun, unfinished_runs as unfinished_runs
from .work import WorkFolder as WorkFolder, work_folder_of as work_folder_of
