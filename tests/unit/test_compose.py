"""What the lab understands of a Compose file, and what it refuses."""

import textwrap
from collections.abc import Mapping

import pytest

from lab.compose import ComposeError, ComposeFile, Mount, Port, read


def services(body: str, environ: Mapping[str, str] | None = None) -> ComposeFile:
    return read("services:\n" + textwrap.indent(textwrap.dedent(body), "  "), environ or {}, "lab.yaml")


def refusal(body: str) -> str:
    with pytest.raises(ComposeError) as caught:
        services(body)
    return str(caught.value)


def test_a_service_is_read_whole() -> None:
    file = services(
        """
        base: {command: [sleep, "1"]}
        web:
          command: python -m web --title 'two words'
          environment: {A: 1, B: true, C: , D: text}
          depends_on: {base: {condition: service_healthy}}
          ports: ["127.0.0.1:${WEB_PORT:-8001}:8000"]
          volumes: ["data:/data", "./work:/work:ro"]
          profiles: [extra]
          stop_grace_period: 1m30s
        """
    )
    web = file.services["web"]
    assert web.command == ("python", "-m", "web", "--title", "two words")
    assert web.environment == {"A": "1", "B": "true", "C": "", "D": "text"}
    assert web.needs == ("base",)
    assert web.port == Port("WEB_PORT", 8001)
    assert web.mounts == (Mount("data", "/data"), Mount("./work", "/work"))
    assert [mount.named for mount in web.mounts] == [True, False]
    assert web.profiles == ("extra",)
    assert web.grace == 90
    assert file.services["base"].grace == 10


def test_the_environment_may_be_a_list() -> None:
    assert services("web: {environment: [A=1, B=x=y]}").services["web"].environment == {"A": "1", "B": "x=y"}


def test_anchors_are_merged() -> None:
    text = "x-common: &common {command: [run], stop_grace_period: 2s}\nservices: {web: {<<: *common}}"
    web = read(text, {}).services["web"]
    assert (web.command, web.grace) == (("run",), 2)


@pytest.mark.parametrize(
    ("written", "environ", "expected"),
    [
        ("${A:-b}", {}, "b"),
        ("${A:-b}", {"A": ""}, "b"),
        ("${A:-b}", {"A": "c"}, "c"),
        ("x-${A:-}-${B:-2}", {}, "x--2"),
        ("$${A:-b} costs 5$$", {"A": "c"}, "${A:-b} costs 5$"),
    ],
)
def test_interpolation(written: str, environ: dict[str, str], expected: str) -> None:
    file = services(f"web: {{environment: {{V: '{written}'}}, command: ['{written}']}}", environ)
    assert file.services["web"].environment["V"] == expected
    assert file.services["web"].command == (expected,)


@pytest.mark.parametrize("written", ["$A", "${A}", "${A-b}", "${A:?b}", "${A:-${B}}", "at the end $"])
def test_other_interpolation_is_refused_by_name(written: str) -> None:
    message = refusal(f"web: {{environment: {{V: '{written}'}}}}")
    assert message.startswith("lab.yaml: services.web.environment.V: ")
    assert written in message


def test_a_range_of_ports_counts_with_its_first() -> None:
    assert services("w: {ports: ['${W_PORT:-8050-8059}:8000']}").services["w"].port == Port("W_PORT", 8050)


def test_services_come_after_what_they_need() -> None:
    file = services("a: {depends_on: [c]}\nb: {depends_on: [a]}\nc: {}")
    order = list(file.services)
    assert order.index("c") < order.index("a") < order.index("b")


def test_of_several_ports_the_first_is_the_services() -> None:
    file = services("a: {ports: ['${A_PORT:-8006}:8000', '${A_MORE_PORT:-8106}:8100/udp']}")
    assert file.services["a"].port == Port("A_PORT", 8006)


@pytest.mark.parametrize(
    ("body", "key", "word"),
    [
        ("a: {depends_on: [b]}", "services.a.depends_on", "'b'"),
        ("a: {depends_on: [b]}\nb: {depends_on: [a]}", "services", "circle: "),
        ("a: {depends_on: b}", "services.a.depends_on", "list"),
        ("a: {ports: ['8000:8000']}", "services.a.ports", "'8000:8000'"),
        ("a: {ports: ['${A:-1}:8000', '8001:8001']}", "services.a.ports", "'8001:8001'"),
        ("a: {stop_grace_period: soon}", "services.a.stop_grace_period", "'soon'"),
        ("a: {volumes: [{type: bind}]}", "services.a.volumes", "bind"),
        ("a: {command: 7}", "services.a.command", "list"),
        ("a: {environment: text}", "services.a.environment", "mapping"),
        ("a: text", "services.a", "mapping"),
    ],
)
def test_refusals_name_file_key_and_value(body: str, key: str, word: str) -> None:
    message = refusal(body)
    assert message.startswith(f"lab.yaml: {key}: ")
    assert word in message


@pytest.mark.parametrize("text", ["", "services: {}", "- a", "services: [a]", "a: ]"])
def test_a_file_without_services_is_refused(text: str) -> None:
    with pytest.raises(ComposeError, match=r"^lab.yaml"):
        read(text, {}, "lab.yaml")


def test_what_only_containers_need_is_ignored() -> None:
    text = """
    x-hard: &hard {read_only: true, tmpfs: [/tmp], cap_drop: [ALL], init: true}
    x-face: &face {build: {context: .}, image: "web"}
    services:
      web:
        <<: [*hard, *face]
        command: [run]
        mem_limit: ${WEB_MEMORY:-1g}
        cpus: ${WEB_CPUS:-0}
        depends_on: {base: {condition: service_healthy, required: false}}
        healthcheck: {test: ["CMD-SHELL", "find $$HOME -newermt -1minute"], start_period: 5s}
      base: {command: [run]}
    """
    web = read(textwrap.dedent(text), {}).services["web"]
    assert (web.command, web.needs, web.environment, web.mounts) == (("run",), ("base",), {}, ())
