# SPDX-License-Identifier: MIT
"""`rpsd backup` and `rpsd restore`: what they print, their exit codes, their records."""

import json

from states import run_sql

from rpsd.cli._app import run


def test_the_commands(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RPSD_STATE_DIR", str(tmp_path / "s"))
    file = tmp_path / "b"

    def out(*arguments, code=0):
        assert run(list(map(str, arguments))) == code
        return capsys.readouterr()

    text = out("keys", "create", "alice", "--role", "user").out.strip()
    head = out("backup", file).out.strip()
    assert head.startswith("3:")
    said = out("backup", file, "--verify")
    assert said.out.strip() == head
    assert "is whole: " in said.err
    told = json.loads(out("backup", file, "--verify", "--json").out)
    assert (told["audit_head"], told["tables"]["api_keys"]) == (head, 1)
    assert "is there already" in out("backup", file, code=1).err
    key = (tmp_path / "s" / "state.key").read_bytes()
    assert "is not empty" in out("restore", file, code=1).err

    monkeypatch.setenv("RPSD_STATE_DIR", str(tmp_path / "t"))
    for command in (["restore", file], ["backup", file, "--verify"], ["backup", tmp_path / "c"]):
        assert "there is no state key" in out(*command, code=2).err
    (tmp_path / "t").mkdir(exist_ok=True)
    (tmp_path / "t" / "state.key").write_bytes(key)
    (tmp_path / "t" / "state.key").chmod(0o600)
    assert "there was no database" in out("backup", tmp_path / "c", code=1).err
    assert not (tmp_path / "c").exists()
    assert out("restore", file).out.strip() == head
    assert "4 records hold" in out("audit-log", "verify", "--head", head).out
    last = json.loads(out("audit-log", "show", "--last", "1").out)
    assert (last["action"], last["outcome"], last["head"]) == ("restore", "done", head)
    assert "replaced" not in last
    monkeypatch.setenv("RPSD_STATE_DIR", str(tmp_path / "s"))
    out("restore", file, "--replace")
    assert json.loads(out("audit-log", "show", "--last", "1").out)["replaced"].startswith("6:")
    assert out("keys", "list", "--json").out.count(text.split("_")[1]) == 1


def test_an_audit_log_that_did_not_hold_is_told_after_the_restore(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RPSD_STATE_DIR", str(tmp_path))
    assert run(["keys", "create", "alice", "--role", "user"]) == 0
    run_sql(f"sqlite:///{tmp_path / 'rpsd.db'}", "UPDATE audit SET record = '{}' WHERE number = 2")
    assert run(["backup", str(tmp_path / "b")]) == 0
    assert run(["restore", str(tmp_path / "b"), "--replace"]) == 1
    assert "is restored, but its audit log does not hold: record 2 was changed" in capsys.readouterr().err
