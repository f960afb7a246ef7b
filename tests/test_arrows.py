"""The arrows of the architecture: dashboards → pipeline → models, and inside the pipeline."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STAGES = ("sources", "redact", "track", "alerts", "notify", "customer_import", "identity_suggest")
BASE = ("records", "config", "errors", "identity", "identity_decisions", "mood_model")
STORE = (
    "store",
    "snapshot",
    *(f"warehouse_{part}" for part in ("database", "identity", "lock", "publish", "records", "rows")),
)


def imports(path: Path) -> set[str]:
    """Every module that a file imports, names of a ``from`` import joined to their module."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def of(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def touches(path: Path, *modules: str) -> set[str]:
    return {name for name in imports(path) for module in modules if name == module or name.startswith(f"{module}.")}


@pytest.mark.parametrize("path", of("models"), ids=str)
def test_models_know_texts_and_labels_only(path):
    assert not touches(path, "pipeline", "dashboards", "duckdb", "prefect", "streamlit")


@pytest.mark.parametrize("path", of("pipeline"), ids=str)
def test_pipeline_does_not_know_the_dashboards(path):
    assert not touches(path, "dashboards", "streamlit")


@pytest.mark.parametrize("path", of("pipeline"), ids=str)
def test_only_flows_imports_prefect(path):
    assert path.name == "flows.py" or not touches(path, "prefect")


@pytest.mark.parametrize("path", [p for p in of("pipeline") if p.stem in STAGES or p.parent.name == "sources"], ids=str)
def test_stages_import_neither_each_other_nor_the_store(path):
    own = "sources" if path.parent.name == "sources" else path.stem
    others = [f"pipeline.{name}" for name in (*STAGES, *STORE, "steps", "cli", "flows") if name != own]
    assert not touches(path, *others)


@pytest.mark.parametrize("path", [ROOT / "pipeline" / f"{name}.py" for name in BASE], ids=str)
def test_base_modules_stand_alone(path):
    assert not touches(path, *(f"pipeline.{name}" for name in (*STAGES, *STORE, "steps", "cli", "flows")))


@pytest.mark.parametrize("path", [ROOT / "pipeline" / f"{name}.py" for name in STORE], ids=str)
def test_the_store_knows_no_stage(path):
    assert not touches(path, *(f"pipeline.{name}" for name in (*STAGES, "steps", "cli", "flows")))


def test_the_arrows_test_sees_imports(tmp_path):
    file = tmp_path / "module.py"
    file.write_text("from pipeline import store\nimport prefect.flows\n")
    assert touches(file, "pipeline.store")
    assert touches(file, "prefect")
