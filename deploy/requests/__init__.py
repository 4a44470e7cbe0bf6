"""deploy.toml as calls, in the order in which they are made. Pure; called by plan, export and tests."""

from __future__ import annotations

from deploy.call import Call
from deploy.config import Config
from deploy.facts import Facts
from deploy.requests import components, endpoint, jobs, model, registry, scaling


def build(config: Config, facts: Facts | None = None) -> list[Call]:
    """Every call that the mode needs, whether or not AWS has its result already."""
    facts = facts or Facts()
    match config.mode:
        case "batch":
            return jobs.transform(config, facts)
        case "training":
            return [jobs.training(config, facts)]
        case "register":
            return registry.package(config, facts)
        case "recommend":
            return registry.recommend(config, facts)
    models = model.of_variants(config, facts) if not config.components else {}
    configuration = endpoint.configuration(config, facts, models)
    made = [*models.values(), configuration, endpoint.endpoint(config, facts, configuration)]
    return [*made, *components.components(config, facts), *scaling.scaling(config, facts)]
