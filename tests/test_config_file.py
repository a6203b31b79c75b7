# SPDX-License-Identifier: MIT
"""What a configuration file may hold, and the one line said of each mistake in it."""

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rpsd import _config
from rpsd._config import Config, load_config
from rpsd._errors import ConfigError

LEVELS = '"auto" or an integer from 0 to 64'


@pytest.fixture(autouse=True)
def only_the_file_given(tmp_path, monkeypatch):
    monkeypatch.setattr(_config, "SYSTEM_CONFIG", tmp_path / "none.yaml")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "config.yaml"


def load(file, text):
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_config(file, environ={})


def refused(file, text):
    with pytest.raises(ConfigError) as caught:
        load(file, text)
    return str(caught.value).replace(str(file), "FILE")


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("fir_cutoff: 1e-1", "fir_cutoff", 0.1),
        ("fir_cutoff: .25", "fir_cutoff", 0.25),
        ("threshold_scale: 2", "threshold_scale", 2.0),
        ("level: 010", "level", 10),
        ("level: auto", "level", "auto"),
        ("wavelet: 'Sym4'", "wavelet", "sym4"),
        ("use_fir_filter: on", "use_fir_filter", True),
        ("use_fir_filter: No", "use_fir_filter", False),
        ("lookahead: null", "lookahead", None),
        ("lookahead: ~", "lookahead", None),
        ("lookahead:", "lookahead", None),
        ("outliers: none", "outliers", "none"),
        ("fir_window: [kaiser, 8.6]", "fir_window", ("kaiser", 8.6)),
        ("fir_window: [general_cosine, [1, 0.5]]", "fir_window", ("general_cosine", (1, 0.5))),
        ("level: !!int '3'", "level", 3),
        ("window: &n 64\n  min_periods: *n", "min_periods", 64),
    ],
)
def test_yaml_values_mean_what_they_say(file, text, key, value):
    came = getattr(load(file, f"denoiser:\n  {text}\n").denoiser, key)
    assert (came, type(came)) == (value, type(value))


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "denoiser:\n", "service: {}\n", "\ufeff"])
def test_an_empty_file_or_section_sets_nothing(file, text):
    assert load(file, text) == Config()


def test_byte_order_mark_and_windows_line_ends_are_fine(file):
    assert load(file, "\ufeffdenoiser:\r\n  level: 3\r\n").denoiser.level == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("denoiser:\n  level: -3", f'FILE:2: denoiser.level must be {LEVELS}, got -3'),
        ("denoiser:\n  level: '4'", f'FILE:2: denoiser.level must be {LEVELS}, got "4"'),
        ("denoiser:\n  level: 1e1", f'FILE:2: denoiser.level must be {LEVELS}, got 10.0'),
        ("denoiser:\n  level: {a: 1}", f'denoiser.level must be {LEVELS}, got a mapping'),
        ("denoiser:\n  level: !!int x", f'denoiser.level must be {LEVELS}, got "x"'),
        ("denoiser:\n  level: !!python/name:os.system 4", "the tag tag:yaml.org,2002:python/name:os.system"),
        ("denoiser:\n  fir_cutoff: .nan", "FILE:2: denoiser.fir_cutoff must be a number > 0 and < 1, got n"),
        ("denoiser:\n\n  wavelet: db44", 'FILE:3: denoiser.wavelet must be "auto", a discrete wavelet name'),
        ("denoiser:\n  space: no", 'FILE:2: denoiser.space must be "price" or "log", got False'),
        ("monitoring:\n  metrics_port: 80:00", 'must be an integer from 1 to 65535, got "80:00"'),
        ("monitoring:\n  log_level: info", '"WARNING", "ERROR" or "CRITICAL", got "info"'),
        ("paths:\n  data_dir: 2024", "paths.data_dir must be a text that is not empty, got 2024"),
        ("paths:\n  data_dir: ''", 'paths.data_dir must be a text that is not empty, got ""'),
        ("performance:\n  max_workers: 0", "FILE:2: performance.max_workers must be an integer >= 1, got 0"),
        ("denoiser:\n  min_periods: 300", 'FILE:2 and default: min_periods must be "window" or an'),
        ("denoiser:\n  levle: 3", 'FILE:2: unknown key "denoiser.levle"; did you mean "level"?'),
        ("denoiser:\n  zzz: 3", 'FILE:2: unknown key "denoiser.zzz"; known: method, wavelet, level'),
        ("denoiser:\n  log_level: INFO", '"denoiser.log_level"; log_level is a key of section monitoring'),
        ("service:\n  prot: 1", 'FILE:2: unknown key "service.prot"; did you mean "port"?'),
        ("denoiser: {<<: {level: 3}}", 'FILE:1: unknown key "denoiser.<<"'),
        ("\ndenoser: {}", 'FILE:2: unknown section "denoser"; did you mean "denoiser"?'),
        ("zzz: {}", 'FILE:1: unknown section "zzz"; known: denoiser, guardrails, performance'),
        ("level: 3", 'FILE:1: unknown section "level"; level is a key of section denoiser'),
        ("denoiser: db4", 'FILE:1: section denoiser must hold keys and values, got "db4"'),
        ("denoiser:\n - level", "FILE:2: section denoiser must hold keys and values, got a list"),
        ("- denoiser", "FILE:1: the file must hold sections (denoiser, guardrails"),
        ("text", 'FILE:1: the file must hold sections (denoiser, guardrails, performance'),
        ("? [a]\n: 3", "FILE:1: a key must be a word, got a list"),
        ("denoiser:\n  level: 3\n  level: 4", 'FILE:3: "level" is set twice, first in line 2'),
        ("denoiser: {}\ndenoiser: {}", 'FILE:2: "denoiser" is set twice, first in line 1'),
        ("denoiser:\n\tlevel: 3", "FILE:2: not valid YAML: found character '\\t' that cannot start any"),
        ("denoiser:\n  wavelet: 'db4", "not valid YAML: found unexpected end of stream"),
        ("denoiser: {}\n--- {}", "FILE:2: not valid YAML: but found another document"),
        ("a:\n  b\x00", "FILE:2: not valid YAML: special characters are not allowed"),
        ('a: "\\UFFFFFFFF"', "FILE: not valid YAML: "),
        ("[" * 3000, "FILE: not a configuration: nested too deeply"),
        (b"denoiser:\n  wavelet: \xff", "FILE:2: must be UTF-8 text, got the byte 0xff"),
        ("# " + "x" * 2**20, "FILE: a configuration file must be at most 1048576 bytes, got more"),
    ],
)  # fmt: skip
def test_each_error_names_file_line_what_came_and_what_is_allowed(file, text, message):
    said = refused(file, text)
    assert message in said
    assert said.startswith("FILE:")
    assert "\n" not in said


@pytest.mark.parametrize("value", ["&a [*a]", "[[[1]]]", f"[kaiser{', 1' * 64}]"])
def test_lists_stay_small_whatever_their_aliases(file, value):
    assert re.search(r"got a list$", refused(file, f"denoiser:\n  fir_window: {value}\n"))


def test_a_bomb_of_aliases_is_harmless(file):
    bomb = "\n".join(f"  k{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9) if i else 'x'}]" for i in range(30))
    assert 'FILE:2: unknown key "denoiser.k0"' in refused(file, f"denoiser:\n{bomb}\n")


@settings(derandomize=True, max_examples=150, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.text(alphabet="abdenoiserlv:{}[]&*!?-#'\"|>%@, \n\t0123.~", max_size=80).map(
            lambda t: f"denoiser:\n  level: {t}".encode()
        ),
    )
)
def test_whatever_the_file_holds_the_only_error_is_ours(data):
    with tempfile.TemporaryDirectory() as root:
        path = Path(root, "config.yaml")
        path.write_bytes(data)
        try:
            came = load_config(path, environ={})
        except ConfigError as error:
            came = error
    assert isinstance(came, Config) or str(path) in str(came)


def test_the_errors_in_the_documentation_are_those_raised(tmp_path, monkeypatch):
    """Each file of the list has its mistake in the line that the list names."""
    page = (Path(__file__).parent.parent / "docs" / "config.md").read_text(encoding="utf-8")
    listed = re.search(r"is a `ConfigError` .*?```\n(.*?)```", page, re.DOTALL).group(1).splitlines()
    monkeypatch.chdir(tmp_path)
    raised = []
    for text in (
        "denoiser:\n  wavelet: db4\n\n  level: -3\n",
        "denoiser:\n  levle: 3\n",
        "level: 3\n",
        "denoiser:\n\n\n  level: 3\n  wavelet: db4\n\n  level: 4\n",
        "denoiser:\n  level: 3\n\twavelet: db4\n",
    ):
        Path("config.yaml").write_text(text)
        with pytest.raises(ConfigError) as caught:
            load_config("config.yaml")
        raised.append(str(caught.value))
    monkeypatch.setenv("RPSD_LEVEL", "x")
    with pytest.raises(ConfigError) as caught:
        load_config()
    raised.append(str(caught.value))
    assert listed == raised


def test_policies_of_single_guardrails_may_be_a_mapping(tmp_path):
    path = tmp_path / "config.yaml"
    for text in (
        "guardrails:\n  policies:\n    lag: raise\n    trend: warn\n",
        "guardrails: {policies: {trend: warn, lag: raise}}\n",
    ):
        path.write_text(text)
        assert load_config(path, environ={}).guardrails.policies == "trend=warn,lag=raise"
    path.write_text("guardrails:\n  policies:\n    gian: raise\n")
    with pytest.raises(
        ConfigError, match=r'config.yaml:2: guardrails.policies must be .*; no guardrail is called "gian"'
    ):
        load_config(path, environ={})
    path.write_text("denoiser:\n  wavelet: {db4: 1}\n")
    with pytest.raises(ConfigError, match=r"config.yaml:2: denoiser.wavelet must be"):
        load_config(path, environ={})
