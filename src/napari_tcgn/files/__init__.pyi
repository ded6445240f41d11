from .caches import (
    CACHE_VARIABLE as CACHE_VARIABLE,
    CacheSize as CacheSize,
    cache_folder as cache_folder,
    sha256_of as sha256_of,
)
from .kinds import (
    MAX_ENTRIES as MAX_ENTRIES,
    Check as Check,
    anything as anything,
    declared as declared,
    entries_of as entries_of,
    figure as figure,
    list_of as list_of,
    mapping_of as mapping_of,
    matches as matches,
    number as number,
    object_of as object_of,
    one_of as one_of,
    or_null as or_null,
    parse_json as parse_json,
    plain as plain,
    read_json as read_json,
    text as text,
    words as words,
)
from .leftovers import find_leftovers as find_leftovers, remove_leftovers as remove_leftovers
from .tables import cells_of as cells_of, open_table as open_table, without_formulas as without_formulas
from .targets import (
    check_folder as check_folder,
    check_target as check_target,
    make_folder as make_folder,
    require_no_input as require_no_input,
)
from .untrusted import (
    COPY_AGAIN as COPY_AGAIN,
    GZIP as GZIP,
    NotRegularError as NotRegularError,
    open_text as open_text,
    open_unpacked as open_unpacked,
    reading as reading,
    reason_of as reason_of,
    require_regular as require_regular,
)
from .whole import (
    put_in_place as put_in_place,
    write_text_whole as write_text_whole,
    write_together as write_together,
    write_whole as write_whole,
    write_whole_folder as write_whole_folder,
)
