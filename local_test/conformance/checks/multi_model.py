"""MME: load, list, get, invoke and unload models."""

from __future__ import annotations

import uuid

from local_test.conformance.assertion import Broken, Claim, Group, Untestable, expect
from local_test.conformance.bench import Bench
from local_test.conformance.models import (
    SETUP,
    Model,
    Models,
    name_of,
    new_name,
    page_of,
    plain_model,
    shared,
    url_of,
)
from local_test.conformance.server import Setup, json_of
from local_test.conformance.wire import Answer

GROUP = Group(claim=Claim.MULTI_MODEL)

MANY = 101  # one more than the largest page that a known server gives
NOT_INVOKED = "The platform does not go on to invoke the model: its client gets an error."
WRONG_VIEW = "The platform believes something else of what is loaded, and asks for models that are not there."
ATTRIBUTES = {
    "X_Amzn_SageMaker_Target_Model": "team/model.tar.gz",
    "X_Amzn_SageMaker_Custom_Attributes": "trace=1",
}


@GROUP.must(
    "MME-01", "/ping is 200 while no model is loaded.",
    source="DG:mme", pains=(1, 31),
    otherwise="The endpoint is never in service: no model is loaded before the first request.",
    fix="With SAGEMAKER_MULTI_MODEL=true, load nothing at the start and let /ping answer 200 at once.",
)  # fmt: skip
def ready_without_models(bench: Bench) -> str:
    try:
        answer = shared(bench).server.ping()
    except Untestable as reason:
        raise Broken(f"with SAGEMAKER_MULTI_MODEL=true and no model {reason}") from reason
    expect(answer.status == 200, f"with no model it answered {answer}")
    return f"{answer.seconds * 1000:.1f} ms"


@GROUP.must(
    "MME-02", "POST /models answers 200 once the model is loaded, and the model answers at once.",
    source="DG:mme", otherwise=NOT_INVOKED, pains=(31,),
    fix="Add POST /models with model_name and url; load before it answers 200.",
)  # fmt: skip
def loads_and_serves(bench: Bench) -> str:
    models, model = shared(bench), plain_model(bench)
    with models.brought(model) as name:
        seconds = loads_and_invokes(models, model, name)
    bench.time("load of a model", seconds)
    return f"loaded in {seconds:.2f} s"


def loads_and_invokes(models: Models, model: Model, name: str) -> float:
    """Seconds that the load took. Raises Broken unless load and invoke are 200."""
    loaded = models.load(name)
    expect(loaded.status == 200, f"POST /models for {name} was answered {loaded}")
    answer = models.invoke(name, model.sample)
    expect(answer.status == 200, f"the first invocation of {name} after its load was answered {answer}")
    return loaded.seconds


@GROUP.must(
    "MME-03", "To load what is loaded is 409.",
    source="DG:mme", otherwise=WRONG_VIEW, pains=(31,),
    fix="Answer POST /models with 409 when model_name is loaded already.",
)  # fmt: skip
def second_load_is_409(bench: Bench) -> None:
    models = shared(bench)
    with models.loaded(plain_model(bench)) as name:
        answer = models.load(name)
        expect(answer.status == 409, f"the second load was answered {answer}")


@GROUP.must(
    "MME-05", "Any opaque name will do, such as a long hash.",
    source="inf DG:mme", otherwise=NOT_INVOKED, pains=(31,),
    fix="Take model_name as it is: letters, digits, dots, dashes and underscores, at least 64 characters.",
)  # fmt: skip
def any_name_will_do(bench: Bench) -> None:
    models, model = shared(bench), plain_model(bench)
    for name in (uuid.uuid4().hex * 2, f"Team-A_model.v2-{new_name()}"):
        models.server.put(model.folder, [url_of(name)])
        try:
            models.load_and_wait(name, model)
        finally:
            models.forget([name])


@GROUP.must(
    "MME-06", "It loads from the folder that url names, which it may not be allowed to write to.",
    source="DG:mme; ro inf", otherwise=NOT_INVOKED, pains=(31,),
    fix="Read the model from url, and write what must be written to /tmp.",
)  # fmt: skip
def loads_from_a_read_only_folder(bench: Bench) -> None:
    shared(bench)  # where none starts, MME-01 says so
    model, name = plain_model(bench), new_name()
    setup = Setup(env=SETUP.env, mounts={f"{url_of(name)}:ro": model.folder})
    with bench.run(setup, needs_server=False) as server:
        Models(server).load_and_wait(name, model)


@GROUP.must(
    "MME-07", "GET /models lists modelName and modelUrl of each loaded model, in the key models; none is [].",
    source="DG:mme", otherwise=WRONG_VIEW, pains=(31,),
    fix='Answer GET /models with {"models": [{"modelName": ..., "modelUrl": ...}]}.',
)  # fmt: skip
def list_has_its_shape(bench: Bench) -> None:
    models = shared(bench)
    empty = models.page()  # each check unloads what it has loaded
    expect(page_of(empty) == ([], ""), f"with no model GET /models was answered {empty}")
    with models.loaded(plain_model(bench)) as name:
        listed = models.page()
    entries, _ = page_of(listed)
    expect(len(entries) == 1, f"with one model GET /models was answered {listed}")
    describes(entries[0], name, listed)


def describes(entry: object, name: str, answer: Answer) -> None:
    """Raises Broken unless it is what the platform expects of a model."""
    wanted = {"modelName": name, "modelUrl": url_of(name)}
    found = {key: entry.get(key) for key in wanted} if isinstance(entry, dict) else entry
    expect(found == wanted, f"not modelName and modelUrl as they were given: {answer}")


@GROUP.must(
    "MME-08", "Whoever follows nextPageToken sees each model once, and comes to a page without one.",
    source="DG:mme, MMS", otherwise=WRONG_VIEW, pains=(31,),
    fix="Let nextPageToken say where the next page begins, and leave it out on the last page.", slow=True,
)  # fmt: skip
def pages_show_each_once(bench: Bench) -> str:
    models, model = shared(bench), plain_model(bench)
    names = models.put(model, MANY)
    try:
        loaded = models.load_what_fits(names)
        pages = list(models.pages())
    finally:
        models.forget(names)
    listed = [name_of(entry) for page in pages for entry in page]
    wrong = [name for name in loaded if listed.count(name) != 1]
    where = f"on {len(pages)} pages"
    expect(not wrong, f"{len(wrong)} of {len(loaded)} models are not listed once {where}, such as {wrong[:1]}")
    return f"{len(loaded)} models {where}"


@GROUP.must(
    "MME-10", "GET /models/{name} gives modelName and modelUrl of a loaded model, and 404 of another.",
    source="DG:mme", otherwise=WRONG_VIEW, pains=(31,),
    fix="Answer GET /models/{name} as an entry of the list; 404 for what is not loaded.",
)  # fmt: skip
def get_describes_a_model(bench: Bench) -> None:
    models = shared(bench)
    with models.loaded(plain_model(bench)) as name:
        answer = models.get(name)
        expect(answer.status == 200, f"GET /models/{name} of a loaded model was answered {answer}")
        describes(json_of(answer), name, answer)
    unknown = models.get(new_name())
    expect(unknown.status == 404, f"GET of a model that was never loaded was answered {unknown}")


@GROUP.must(
    "MME-11", "To invoke what is not loaded is 404.",
    source="DG:mme", pains=(31,),
    otherwise="The platform does not learn that it must load the model, and hands the error to the client.",
    fix="Answer POST /models/{name}/invoke with 404 when the name is not loaded.",
)  # fmt: skip
def unloaded_is_404(bench: Bench) -> None:
    answer = shared(bench).invoke(new_name(), plain_model(bench).sample)
    expect(answer.status == 404, f"to invoke a model that was never loaded was answered {answer}")


@GROUP.must(
    "MME-12", "DELETE /models/{name} is 200; then get, invoke and another DELETE are 404.",
    source="DG:mme", otherwise=WRONG_VIEW, pains=(31,),
    fix="Forget the model at DELETE; answer 404 for what is not loaded.",
)  # fmt: skip
def unloaded_is_gone(bench: Bench) -> None:
    models, model = shared(bench), plain_model(bench)
    with models.loaded(model) as name:
        unloaded = models.unload(name)
        expect(unloaded.status == 200, f"DELETE of a loaded model was answered {unloaded}")
        later = {
            "get": models.get(name),
            "invoke": models.invoke(name, model.sample),
            "a second DELETE": models.unload(name),
        }
    wrong = [f"{what} was answered {answer}" for what, answer in later.items() if answer.status != 404]
    expect(not wrong, f"after DELETE {', '.join(wrong)}")


@GROUP.must(
    "MME-14", "A model answers with the headers that the platform sends: Target-Model and Custom-Attributes.",
    source="DG:mme", otherwise="Each request to the endpoint fails: Target-Model is on all of them.", pains=(31,),
    fix="Ignore headers that you do not use at POST /models/{name}/invoke.",
)  # fmt: skip
def headers_do_no_harm(bench: Bench) -> None:
    models, model = shared(bench), plain_model(bench)
    with models.loaded(model) as name:
        answer = models.invoke(name, model.sample, **ATTRIBUTES)
    expect(answer.status == 200, f"with Target-Model and Custom-Attributes it answered {answer}")
