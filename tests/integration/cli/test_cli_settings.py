"""Settings of the database: shown with what they mean, changed by name, all or none."""

import json


def test_settings_are_shown_with_what_they_mean(run) -> None:
    """All of them, or those that are named."""
    run("settings", "set", "batch_size=12")
    told = run("settings", "show").stdout
    assert "auto_enabled" in told
    assert "batch_size" in told
    shown = json.loads(run("settings", "show", "batch_size", "--json").stdout)["settings"]
    assert [(each["name"], each["value"]) for each in shown] == [("batch_size", "12")]
    assert "claim" in shown[0]["description"]
    assert run("settings", "show", "colour").exit_code == 2


def test_settings_are_changed_together(run) -> None:
    """Numbers, switches, texts, lists, and null for none."""
    changes = (
        "batch_size=20",
        "auto_enabled=true",
        "contact=me@readers.dev",
        'provider_keys=["googlebooks"]',
    )
    changed = json.loads(run("settings", "set", *changes, "--json").stdout)["settings"]
    assert {each["name"]: each["value"] for each in changed} == {
        "batch_size": "20",
        "auto_enabled": "true",
        "contact": "me@readers.dev",
        "provider_keys": '["googlebooks"]',
    }
    assert run("settings", "set", "contact=null").exit_code == 0
    (contact,) = json.loads(run("settings", "show", "contact", "--json").stdout)["settings"]
    assert contact["value"] is None


def test_a_value_that_cannot_be_is_refused_and_nothing_is_changed(run) -> None:
    """The database knows the bounds; exit 4 with what it says. What is no name=value is exit 2."""
    result = run("settings", "set", "provider_delay_ms=100", "batch_size=0")
    assert result.exit_code == 4
    assert "it takes batch_size >= 1 and batch_size <= 100" in " ".join(result.stderr.split())
    assert "hint:" in result.stderr
    (delay,) = json.loads(run("settings", "show", "provider_delay_ms", "--json").stdout)["settings"]
    assert delay["value"] == "500"
    assert run("settings", "set", "colour=blue").exit_code == 4
    assert run("settings", "set", "batch_size").exit_code == 2


def test_what_the_environment_will_write_again_is_told(run, monkeypatch) -> None:
    """Otherwise the change would be gone with the next worker, without a word."""
    monkeypatch.setenv("ENRICHMENT_BATCH_SIZE", "30")
    assert "ENRICHMENT_BATCH_SIZE" in run("settings", "set", "batch_size=20").stderr
    assert "ENRICHMENT" not in run("settings", "set", "provider_delay_ms=600").stderr
