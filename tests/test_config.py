# SPDX-License-Identifier: MIT
"""Where each setting comes from, which one wins, and what is said when one is wrong."""

import pickle
import re
from pathlib import Path

import pytest
import yaml

from rpsd import _config
from rpsd._config import SECTIONS, Config, load_config
from rpsd._errors import ConfigError
from rpsd._schema import fields

PAGE = (Path(__file__).parents[1] / "docs" / "config.md").read_text(encoding="utf-8")

LEVELS = '"auto" or an integer from 0 to 64'

SEED_YAML = """\
# Denoiser settings
denoiser:
  wavelet: db4
  level: 4
  threshold_mode: bayes
  use_fir_filter: true
  fir_cutoff: 0.1

# Guardrail thresholds
guardrails:
  correlation_threshold: 0.85
  rmse_threshold: 0.5
  trend_threshold: 0.90
  power_threshold: 0.95

# Performance settings
performance:
  max_workers: 4
  chunk_size: 1000
  cache_size: 1000

# Monitoring settings
monitoring:
  metrics_port: 8000
  health_check_interval: 30
  log_level: INFO
"""

# Section, key, the seed's value (its default too, but for the denoiser), another value.
SEED_KEYS = [
    ("denoiser", "wavelet", "db4", "sym8"),
    ("denoiser", "level", 4, 2),
    ("denoiser", "threshold_mode", "bayes", "universal"),
    ("denoiser", "use_fir_filter", True, False),
    ("denoiser", "fir_cutoff", 0.1, 0.25),
    ("guardrails", "correlation_threshold", 0.85, 0.7),
    ("guardrails", "rmse_threshold", 0.5, 0.2),
    ("guardrails", "trend_threshold", 0.9, 0.6),
    ("guardrails", "power_threshold", 0.95, 0.5),
    ("performance", "max_workers", 4, 9),
    ("performance", "chunk_size", 1000, 17),
    ("performance", "cache_size", 1000, 0),
    ("monitoring", "metrics_port", 8000, 9100),
    ("monitoring", "health_check_interval", 30, 5),
    ("monitoring", "log_level", "INFO", "DEBUG"),
]
VARIABLES = [
    ("RPSD_DATA_DIR", "paths", "data_dir", ".", "/data", "/data"),
    ("RPSD_LOG_LEVEL", "monitoring", "log_level", "INFO", "ERROR", "ERROR"),
    ("RPSD_CACHE_DIR", "paths", "cache_dir", "~/.cache/rpsd", "/cache", "/cache"),
    ("RPSD_MAX_WORKERS", "performance", "max_workers", 4, "6", 6),
    ("RPSD_CHUNK_SIZE", "performance", "chunk_size", 1000, "50", 50),
    ("RPSD_METRICS_PORT", "monitoring", "metrics_port", 8000, "9999", 9999),
    ("RPSD_HEALTH_CHECK_INTERVAL", "monitoring", "health_check_interval", 30, "7", 7),
]


class Places:
    """The files that may hold a configuration, in a directory of their own."""

    def __init__(self, root):
        self.system = root / "etc" / "config.yaml"
        self.user = root / "home" / ".rpsd" / "config.yaml"
        self.given = root / "given.yaml"
        self.named = root / "named.yaml"
        for place in (self.system, self.user):
            place.parent.mkdir(parents=True)

    def load(self, text, **kwargs):
        self.given.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_config(self.given, environ={}, **kwargs)


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    places = Places(tmp_path)
    monkeypatch.setattr(_config, "SYSTEM_CONFIG", places.system)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    return places


def test_nothing_given_is_all_defaults():
    config = load_config(environ={})
    assert config == Config()
    assert {origin for *_, origin in config.rows()} == {"default"}


def test_the_seed_file_loads_word_for_word(places):
    config = places.load(SEED_YAML)
    for section, key, value, _ in SEED_KEYS:
        assert getattr(getattr(config, section), key) == value
        line = next(i for i, text in enumerate(SEED_YAML.split("\n"), 1) if text.startswith(f"  {key}:"))
        assert config.origin(section, key) == f"{places.given}:{line}"
    assert config.denoiser.method == "wavelet"
    assert config.origin("denoiser", "method") == f"{places.given}:3 (as wavelet is given)"


@pytest.mark.parametrize(("section", "key", "seed", "other"), SEED_KEYS)
def test_every_seed_key_is_seen(places, section, key, seed, other):
    config = places.load(f"{section}:\n  {key}: {str(other).lower() if isinstance(other, bool) else other}\n")
    assert getattr(getattr(config, section), key) == other
    assert [row for row in config.rows() if row[1] == key] == [(section, key, other, f"{places.given}:2")]
    if section != "denoiser":
        assert getattr(getattr(Config(), section), key) == seed


@pytest.mark.parametrize(("variable", "section", "key", "default", "text", "value"), VARIABLES)
def test_every_variable_has_a_default_and_overrides_it(variable, section, key, default, text, value):
    assert getattr(getattr(load_config(environ={}), section), key) == default
    config = load_config(environ={variable: text})
    assert getattr(getattr(config, section), key) == value
    assert config.origin(section, key) == f"environment {variable}"


def test_the_process_environment_is_the_default(monkeypatch):
    monkeypatch.setenv("RPSD_MAX_WORKERS", "12")
    assert load_config().performance.max_workers == 12


def test_the_order_of_precedence_pair_by_pair(places):
    """Strip the strongest place one by one: the next one below must show each time."""
    path, environ, arguments = places.given, {"RPSD_CHUNK_SIZE": "50"}, {"performance": {"chunk_size": 60}}

    def seen():
        config = load_config(path, environ=environ, command_line=arguments)
        return config.performance.chunk_size, config.origin("performance", "chunk_size")

    for number, place in enumerate([places.system, places.user, places.named, places.given], 1):
        place.write_text(f"performance: {{chunk_size: {number}}}\n")
    environ["RPSD_CONFIG"] = str(places.named)
    assert seen() == (60, "command line --chunk-size")
    arguments = None
    assert seen() == (50, "environment RPSD_CHUNK_SIZE")
    del environ["RPSD_CHUNK_SIZE"]
    assert seen() == (4, f"{places.given}:1")
    path = None
    assert seen() == (3, f"{places.named}:1")
    del environ["RPSD_CONFIG"]
    assert seen() == (2, f"{places.user}:1")
    places.user.unlink()
    assert seen() == (1, f"{places.system}:1")
    places.system.unlink()
    assert seen() == (1000, "default")


def test_files_merge_key_by_key(places):
    places.system.write_text("denoiser: {boundary: zero, fir_taps: 31}\nmonitoring: {log_level: ERROR}\n")
    places.user.write_text("denoiser: {fir_taps: 51, noise: level}\n")
    config = places.load("denoiser: {noise: 0.5}\n")
    assert (config.denoiser.boundary, config.denoiser.fir_taps, config.denoiser.noise) == ("zero", 51, 0.5)
    assert config.monitoring.log_level == "ERROR"


def test_a_given_path_hides_the_file_of_the_variable(places):
    places.named.write_text("denoiser: {fir_taps: 51}\n")
    places.given.write_text("")
    assert load_config(places.given, environ={"RPSD_CONFIG": str(places.named)}).denoiser.fir_taps == 101


def test_a_path_may_be_text_and_begin_at_home(places):
    places.user.with_name("mine.yaml").write_text("denoiser: {fir_taps: 31}\n")
    assert load_config("~/.rpsd/mine.yaml", environ={}).denoiser.fir_taps == 31
    assert load_config(environ={"RPSD_CONFIG": "~/.rpsd/mine.yaml"}).denoiser.fir_taps == 31


def test_a_layer_with_a_wavelet_option_selects_the_method_where_no_method_is_given(places):
    assert places.load("denoiser: {method: auto, wavelet: haar}").denoiser.method == "auto"
    places.system.write_text("denoiser: {method: fir}\n")
    config = places.load("denoiser: {wavelet: haar}")
    assert (config.denoiser.method, config.denoiser.wavelet) == ("fir", "haar")
    assert config.origin("denoiser", "method") == f"{places.system}:1"
    config = load_config(places.given, environ={"RPSD_METHOD": "auto"})
    assert (config.denoiser.method, config.origin("denoiser", "method")) == (
        "auto",
        "environment RPSD_METHOD",
    )


def test_values_of_parts_that_do_not_exist_yet_validate_and_show(places):
    config = places.load("denoiser: {method: kalman, lookahead: 0}\nguardrails: {policy: relax}")
    assert (config.denoiser.method, config.denoiser.lookahead, config.guardrails.policy) == (
        "kalman",
        0,
        "relax",
    )


def test_a_file_that_is_asked_for_must_exist(places):
    with pytest.raises(ConfigError, match=r"the configuration file .*given\.yaml does not exist"):
        load_config(places.given, environ={})
    with pytest.raises(ConfigError, match=r"named\.yaml \(from RPSD_CONFIG\) does not exist"):
        load_config(environ={"RPSD_CONFIG": str(places.named)})
    places.named.write_text("")
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(places.named / "below.yaml", environ={})


def test_files_that_cannot_be_read(places):
    with pytest.raises(ConfigError, match="the configuration file cannot be read"):
        load_config(places.system.parent, environ={})
    places.user.symlink_to(places.user)  # a loop: it exists and no one can open it, not even root
    with pytest.raises(ConfigError, match=r"config\.yaml: the configuration file cannot be read: "):
        load_config(environ={})


@pytest.mark.parametrize("path", ["", 3, b"config.yaml", True])
def test_a_path_must_be_a_path(path):
    with pytest.raises(ConfigError, match="path must be the name of a configuration file or None, got "):
        load_config(path, environ={})


def test_a_user_without_a_home_has_the_other_places(places, monkeypatch):
    def no_home():
        raise RuntimeError("no home")

    places.system.write_text("performance: {threads: 2}\n")
    monkeypatch.setattr(Path, "home", no_home)
    assert load_config(environ={}).performance.threads == 2


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("RPSD_LEVEL", "x", f'environment RPSD_LEVEL: level must be {LEVELS}, got "x"'),
        ("RPSD_METRICS_PORT", "0", "environment RPSD_METRICS_PORT: metrics_port must be an integer from 1"),
        ("RPSD_LEVL", "3", 'environment RPSD_LEVL: unknown variable; did you mean "RPSD_LEVEL"?'),
        ("RPSD_METRIC_PORT", "8", 'environment RPSD_METRIC_PORT: unknown variable; did you mean "RPSD_METR'),
        ("RPSD_CONFI", "x", 'environment RPSD_CONFI: unknown variable; did you mean "RPSD_CONFIG"?'),
        ("RPSD_QQQQ", "1", "environment RPSD_QQQQ: unknown variable"),
    ],
)  # fmt: skip
def test_a_bad_variable_is_named(variable, text, message):
    with pytest.raises(ConfigError) as caught:
        load_config(environ={variable: text})
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("RPSD_SERVICE_HOST", "10.0.0.1"), ("RPSD_SERVICE_PORT", "8000"), ("RPSD_SERVICE_PORT_HTTP", "8000"),
        ("RPSD_PORT", "tcp://10.0.0.1:8000"), ("RPSD_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
        ("RPSD_PORT_8000_TCP_ADDR", "10.0.0.1"), ("RPSD_WORKER_SERVICE_HOST", "10.0.0.2"),
        ("RPSD_METRICS_PORT", "tcp://10.0.0.3:8000"), ("RPSD_ISA", "baseline"), ("RPSD_LEVEL", " "),
        ("RPSD_CONFIG", ""), ("OTHER", "x"),
    ],
)  # fmt: skip
def test_variables_that_set_nothing(variable, text):
    assert load_config(environ={variable: text}) == Config()


def test_the_command_line_takes_values_and_text():
    config = load_config(environ={}, command_line={"denoiser": {"level": "3", "fir_taps": 31}, "paths": {}})
    assert (config.denoiser.level, config.denoiser.fir_taps, config.denoiser.method) == (3, 31, "wavelet")
    assert config.origin("denoiser", "fir_taps") == "command line --fir-taps"
    for given_section, message in [
        ({"denoiser": {"level": -1}}, "command line --level: level must be"),
        ({"denoiser": {"lvl": 1}}, 'unknown key of section denoiser "lvl"; did you mean "level"'),
        ({"denoise": {}}, 'unknown section "denoise"; did you mean "denoiser"'),
    ]:
        with pytest.raises(ConfigError, match=message):
            load_config(environ={}, command_line=given_section)


def test_a_config_is_immutable_and_travels(places):
    config = places.load("denoiser: {level: 3}")
    with pytest.raises(AttributeError):
        config.denoiser = None
    again = pickle.loads(pickle.dumps(config))
    assert again == config
    assert again.origin("denoiser", "level") == f"{places.given}:1"


def test_origin_knows_only_what_exists():
    with pytest.raises(ConfigError, match='unknown section "denoise"; did you mean "denoiser"'):
        Config().origin("denoise", "level")
    with pytest.raises(ConfigError, match='unknown key of section denoiser "lvl"; did you mean "level"'):
        Config().origin("denoiser", "lvl")


@pytest.mark.parametrize(
    "text",
    [
        "",
        SEED_YAML,
        "denoiser: {fir_window: [general_cosine, [1, 0.5]], noise: 1.0e-5, lookahead: 3}",
        "paths: {data_dir: 'on'}",
    ],
)
def test_to_yaml_gives_the_same_configuration_again(places, text):
    config = places.load(text)
    assert places.load(config.to_yaml()) == config
    assert list(yaml.safe_load(config.to_yaml())) == list(SECTIONS)


def test_directories_begin_at_home(tmp_path):
    paths = Config().paths
    assert paths.cache_path == tmp_path / "home" / ".cache" / "rpsd"
    assert paths.data_path == Path()
    bad = load_config(environ={"RPSD_DATA_DIR": "~nobody-of-this-name/x"}).paths
    with pytest.raises(
        ConfigError, match='data_dir must begin with ~ only where that home is known, got "~nob'
    ):
        _ = bad.data_path


def test_every_key_has_one_section_and_one_variable():
    keys = [key for settings_type in SECTIONS.values() for key in fields(settings_type)]
    assert len(keys) == len(set(keys))
    for settings_type in SECTIONS.values():
        for field in fields(settings_type).values():
            assert field.variable not in _config._OTHER_VARIABLES
            assert not _config._is_service_link(field.variable, "8000")
            assert field.check(field.default) == field.default


def _shown(value):
    text = yaml.safe_dump(value).removesuffix("...\n").strip()
    return {"''": ""}.get(text, text)


def test_the_documentation_lists_exactly_the_schema():
    text = (Path(__file__).parents[1] / "docs" / "config.md").read_text(encoding="utf-8")
    documented = []
    for part in text.split("\n### `")[1:]:
        section = part.partition("`")[0]
        rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \| `(RPSD_\w+)` \|", part, flags=re.MULTILINE)
        documented += [(section, *row) for row in rows]
    assert documented == [
        (section, field.name, _shown(field.default), field.variable)
        for section, settings_type in SECTIONS.items()
        for field in fields(settings_type).values()
    ]


def test_the_pages_example_runs_with_the_pages_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    program, file = (re.search(rf"```{kind}\n(.*?)```", PAGE, re.S)[1] for kind in ("python", "yaml"))
    Path("config.yaml").write_text(file, encoding="utf-8")
    exec(compile(program, "config.md", "exec"), {})  # pytest makes any warning an error
    assert capsys.readouterr().out == "db4 config.yaml:2\n"
