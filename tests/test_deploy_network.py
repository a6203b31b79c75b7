# SPDX-License-Identifier: MIT
"""The firewall and the VPN of deploy/network: one network, the ports that there are, rules that nft takes."""

import ipaddress
import re
import subprocess
from pathlib import Path

import pytest
import yaml

import rpsd

DEPLOY = Path(__file__).parents[1] / "deploy"
RULES = (DEPLOY / "network" / "nftables.conf").read_text("utf-8")
TUNNEL = (DEPLOY / "network" / "wg0.conf").read_text("utf-8")


def test_the_vpn_is_the_network_that_the_firewall_lets_in():
    inside = [ipaddress.ip_network(text) for text in re.findall(r"elements = \{ (\S+) \}", RULES)]
    own = [ipaddress.ip_interface(text) for text in re.search("Address = (.*)", TUNNEL)[1].split(", ")]
    assert [one.network for one in own] == inside
    peer = [ipaddress.ip_network(text) for text in re.search("AllowedIPs = (.*)", TUNNEL)[1].split(", ")]
    for one, network in zip(peer, inside, strict=True):
        assert one.subnet_of(network)
        assert one.num_addresses == 1  # a peer is nobody else
    assert re.search(r"ListenPort = (\d+)", TUNNEL)[1] == re.search(r"udp dport (\d+).*WireGuard", RULES)[1]


def test_only_the_vpn_reaches_what_is_not_for_clients():
    everybody = re.search(r"^    tcp dport \{ ([\d, ]+) \} accept$", RULES, re.M)[1].split(", ")
    people = [set(ports.split(", ")) for ports in re.findall(r"@inside\d tcp dport \{ (.*) \} accept", RULES)]
    assert everybody == ["80", "443"]
    port = rpsd.Config().monitoring.metrics_port
    upstream = re.findall(r":(\d+)", (DEPLOY / "nginx" / "upstream.conf").read_text("utf-8"))
    assert str(port) in upstream
    published = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())["services"]["grafana"][
        "ports"
    ]
    assert people == [{"22", *upstream, "9090", "9093", published[0].split(":")[-1]}] * 2
    assert "policy drop" in RULES


def test_no_key_is_in_the_files():
    assert not re.search(r"PrivateKey = |[A-Za-z0-9+/]{43}=", TUNNEL)


@pytest.mark.slow
def test_nft_takes_the_rules(tmp_path):
    done = subprocess.run(
        ["unshare", "-n", "nft", "-c", "-f", DEPLOY / "network" / "nftables.conf"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (tmp_path / "wrong").write_text(RULES.replace("policy drop", "policy dropp"))
    done = subprocess.run(
        ["unshare", "-n", "nft", "-c", "-f", tmp_path / "wrong"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
