"""Completion in bash, where `@` and `=` are parts of words.

click's script takes the words as bash splits them, and bash splits `@compute` and `image=rocky-9`. This one takes
the line as it is typed, and gives bash only what comes behind its last split.
"""

from __future__ import annotations

import os

from click.shell_completion import BashComplete, add_completion_class, split_arg_string

_SCRIPT = r"""
%(complete_func)s() {
    local IFS=$'\n' line=${COMP_LINE:0:COMP_POINT} type value
    local word=${line##*[[:space:]]}
    local rest=${word##*["$COMP_WORDBREAKS"]}
    local start=${word%%"$rest"}
    # Readline splits before an @, and behind all others.
    start=${start%%@}
    COMPREPLY=()
    while IFS=',' read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                COMPREPLY+=("${value#"$start"}")
                if [[ $value == *= ]]; then compopt -o nospace; fi ;;
        esac
    done < <(COMP_LINE=$line %(complete_var)s=bash_complete "$1" 2> /dev/null)
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class LineComplete(BashComplete):
    """Completes the last word of a line."""

    source_template = _SCRIPT

    @staticmethod
    def _check_version() -> None:
        # Nothing here needs more than bash 4.4, which is older than every system that this runs on.
        return

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the last one, without the program, and the last one."""
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)
        if line[-1:].isspace():
            return words[1:], ""
        return words[1:-1], words[-1]


def install() -> None:
    """Have click use it, for the script and for what the script asks."""
    add_completion_class(LineComplete)
