from .check import (
    Finding as Finding,
    ModelCheck as ModelCheck,
    check_model as check_model,
    require_usable as require_usable,
)
from .encoders import (
    EncoderFiles as EncoderFiles,
    EncoderPreset as EncoderPreset,
    encoder_presets as encoder_presets,
    fetch_encoder as fetch_encoder,
    find_preset as find_preset,
    is_on_hub as is_on_hub,
)
from .folder import remove_model as remove_model
from .get import (
    endpoint as endpoint,
    get_model_from as get_model_from,
    get_model_steps as get_model_steps,
    outdated as outdated,
)
from .index import FileEntry as FileEntry, ModelEntry as ModelEntry, find_entry as find_entry, read_index as read_index
from .licences import hub_licence as hub_licence, require_accepted as require_accepted
from .pack import pack_model as pack_model
