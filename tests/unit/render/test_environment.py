"""The template environment: strict, bounded, and closed to the machine."""

from __future__ import annotations

import pytest

from provisioner.render.environment import Renderer, RenderError
from provisioner.render.escape import Multiline
from tests.support import resolved

RENDERER = Renderer()


def render(source: str, **context: object) -> str:
    return RENDERER.text("overlays/x/rootfs/f.j2", source, context)


def test_an_undefined_variable_is_an_error_with_overlay_file_and_line() -> None:
    with pytest.raises(RenderError, match=r"overlays/x/rootfs/f\.j2:2: 'nothing' is undefined"):
        render("first\n{{ nothing }}\n")


def test_an_undefined_field_is_an_error_too() -> None:
    with pytest.raises(RenderError, match="has no field 'colour'"):
        render("{{ node.colour }}", node=resolved.node())


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("{{ node.nme }}", "a node has no field 'nme'; did you mean 'name'?"),
        ("{{ node.boot_interface.maac }}", "an interface has no field 'maac'; did you mean 'mac'?"),
        ("{{ node.tags.rock }}", "the map has no key 'rock'; did you mean 'rack'?"),
        ("{{ node.tags.x.y }}", "the map has no key 'x'"),
        ("{{ 'text'.nothing }}", "a str has no field 'nothing'"),
    ],
)
def test_what_a_template_was_likely_to_mean_is_told(source: str, told: str) -> None:
    with pytest.raises(RenderError) as raised:
        render(source, node=resolved.node(tags={"rack": "r1"}))

    assert raised.value.message == f"overlays/x/rootfs/f.j2:1: {told}"


def test_a_syntax_error_names_its_line() -> None:
    with pytest.raises(RenderError, match=r"f\.j2:3: "):
        render("\n\n{% if %}")


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'x' * 3000000000 }}",
        "{{ 3000000000 * [1] }}",
        "{% if (1, 2) * 3000000000 %}{% endif %}",
        "{% set n = namespace(x=9) %}{% for i in range(60) %}{% set n.x = n.x * n.x %}{% endfor %}",
    ],
)
def test_a_product_that_would_fill_the_memory_is_refused(source: str) -> None:
    with pytest.raises(RenderError, match=r"f\.j2:2: the operator \* would make something too large"):
        render("\n" + source)


def test_products_of_everyday_size_are_computed() -> None:
    assert render("{{ 'ab' * 2 }} {{ [1] * 2 }} {{ 1024 * 1024 }} {{ 0.5 * 3 }}") == "abab [1, 1] 1048576 1.5"


TOO_DEEP = {
    "loops": "{% for x in y %}" * 25 + "{% endfor %}" * 25,
    "brackets": "{{ " + "(" * 5000 + ")" * 5000 + " }}",
    "sums": "{{ " + "x+" * 5000 + "x }}",
    "digits": "{{ " + "9" * 5000 + " }}",
    "filters": "{{ x" + "|string" * 3000 + " }}",
}


@pytest.mark.parametrize("source", TOO_DEEP.values(), ids=TOO_DEEP)
def test_what_python_cannot_compile_is_told_with_name_and_line(source: str) -> None:
    with pytest.raises(RenderError, match=r"^overlays/x/rootfs/f\.j2:1: \S"):
        render(source, x=1)


@pytest.mark.parametrize("name", ["brackets", "digits"])
def test_what_jinja_cannot_read_is_a_mistake_that_a_check_tells(name: str) -> None:
    mistake = RENDERER.syntax_mistake(TOO_DEEP[name])

    assert mistake is not None
    assert mistake[1]


def test_an_infinite_number_is_told_like_any_mistake() -> None:
    with pytest.raises(RenderError, match=r"f\.j2:1: "):
        render("{% set x = 1e999 %}{{ x }}")


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\x00b", "a\u2028b", "a\x1b[2J"])
def test_a_value_cannot_add_a_line_or_a_control_character(value: str) -> None:
    with pytest.raises(RenderError, match="line break or control character"):
        render("key = {{ value }}", value=value)


def test_text_made_by_this_program_may_hold_lines() -> None:
    assert render("{{ key }}", key=Multiline("a\nb")) == "a\nb"


class Wordless:
    """An object without a text of its own."""

    def method(self) -> None:
        """Is printed instead of called."""


@pytest.mark.parametrize(
    "source",
    [
        "{% block b %}{% endblock %}{{ self.b }}",
        "{% block b %}{% endblock %}{{ self.b ~ '!' }}",
        "{% block b %}{% endblock %}{{ '%s' | format(self.b) | upper }}",
        "{{ thing }}",
        "{{ [thing] }}",
        "{{ {'a': (1, thing)} }}",
        "{{ thing.method }}",
        "{{ 'x'.upper }}",
        "{{ ['x'] | map('upper') }}",
        "{{ range }} {{ cycler }} {{ cycler('a') }}",
    ],
)
def test_what_would_print_its_place_in_the_memory_is_refused(source: str) -> None:
    with pytest.raises(RenderError, match=r"f\.j2:2: <[^>]+> has no text of its own; print one of") as told:
        render("\n" + source, thing=Wordless())
    assert " at 0x" not in told.value.message.lower()


def test_an_address_of_the_memory_that_somebody_wrote_is_a_text_like_any() -> None:
    assert (
        render("{{ a }} {{ [a] }}", a="loads at 0x1000 > 0x800")
        == "loads at 0x1000 > 0x800 ['loads at 0x1000 > 0x800']"
    )


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ node.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os }}",
        "{{ node.model_copy.__func__.__globals__ }}",
        "{{ '{0.__class__}'.format(node) }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
    ],
)
def test_a_template_cannot_leave_the_sandbox(source: str) -> None:
    with pytest.raises(RenderError):
        render(source, node=resolved.node())


def test_a_template_cannot_change_what_it_is_given() -> None:
    with pytest.raises(RenderError):
        render("{{ items.append(1) }}", items=[])


def test_output_without_end_is_cut_off() -> None:
    source = "{% for a in range(90000) %}{% for b in range(90000) %}xxxxxxxxxxxxxxxx{% endfor %}{% endfor %}"
    with pytest.raises(RenderError, match="larger than 16 MiB"):
        render(source)


def test_a_template_without_file_marks_makes_the_file_that_it_is_named_after() -> None:
    assert RENDERER.files("etc/motd", "t", "hello {{ who }}\n", {"who": "you"}) == {"etc/motd": "hello you\n"}


def test_one_template_makes_several_files() -> None:
    source = "{% for n in names %}\n{{ file('etc/' ~ n) }}\nname={{ n }}\n{% endfor %}\n"

    assert RENDERER.files("x", "t", source, {"names": ["a", "b"]}) == {"etc/a": "name=a\n", "etc/b": "name=b\n"}


def test_a_template_that_opens_no_file_makes_none() -> None:
    source = "{% for n in names %}\n{{ file('etc/' ~ n) }}\nname={{ n }}\n{% endfor %}\n"

    assert RENDERER.files("x", "t", source, {"names": []}) == {}


def test_text_before_the_first_file_is_an_error() -> None:
    with pytest.raises(RenderError, match="text before the first file"):
        RENDERER.files("x", "t", "lost {{ file('a') }}\nkept", {})


@pytest.mark.parametrize(
    "source", ["{{ [1, 2] | random }}", "{{ [[1, 2]] | map('random') | list }}", "{{ lipsum() }}"]
)
def test_nothing_in_a_template_is_left_to_chance(source: str) -> None:
    with pytest.raises(RenderError, match=r"random|lipsum"):
        render(source)


def test_a_filter_that_does_not_exist_is_a_mistake_of_syntax() -> None:
    assert RENDERER.syntax_mistake("one\n{{ 1 | shuffled }}") == (2, "No filter named 'shuffled'.")


def test_only_what_a_template_uses_is_taken_out_of_its_context() -> None:
    class Lazy(dict[str, object]):
        def __getitem__(self, key: str) -> object:
            asked.append(key)
            return super().__getitem__(key)

    asked: list[str] = []

    assert RENDERER.text("t", "{{ used }}", Lazy(used="x", costly="y")) == "x"
    assert asked == ["used"]


def test_a_model_has_its_fields_and_properties_and_nothing_that_dumps_its_secrets() -> None:
    node = resolved.node("n001")

    assert render("{{ node.name }} {{ node.fqdn }}", node=node) == "n001 n001.cluster.local"
    for call in ("model_dump_json()", "json()", "model_copy()", "__dict__"):
        with pytest.raises(RenderError, match="unsafe"):
            render(f"{{{{ node.{call} }}}}", node=node)
