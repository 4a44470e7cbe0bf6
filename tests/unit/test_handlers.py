"""Which functions serve, and what is said at start when one of them cannot."""

from __future__ import annotations

import inspect
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import IO, Any, BinaryIO

import pytest

from container.errors import DecodeError, StartupError, UnsupportedMediaType
from container.handlers import load_predictor, readable, resolve
from container.settings import Settings


@pytest.fixture(autouse=True)
def _clean_imports() -> Iterator[None]:
    """What an artifact's code put on the path and into sys.modules is gone after each test."""
    path, modules, bytecode = sys.path[:], set(sys.modules), sys.dont_write_bytecode
    yield
    sys.path[:] = path
    sys.dont_write_bytecode = bytecode
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def settings_for(model_dir: Path, **environ: str) -> Settings:
    return Settings.from_environ({"SM_MODEL_DIR": str(model_dir), **environ})


def predictor(**functions: Any) -> ModuleType:
    module = ModuleType("predictor")
    vars(module).update(functions)
    return module


def read(body: Any, content_type: str) -> Any:
    return body


def predict(data: Any, model: Any) -> Any:
    return data


def transform(model: Any, body: Any, content_type: str, accept: str) -> Any:
    return body


def chosen(model_dir: Path, module: ModuleType | None = None, **environ: str) -> Any:
    return resolve(settings_for(model_dir, **environ), module or predictor())


def write_code(model_dir: Path, text: str, name: str = "inference.py") -> None:
    (model_dir / "code").mkdir(exist_ok=True)
    (model_dir / "code" / name).write_text(text, encoding="utf-8")


Stream = BinaryIO


@pytest.mark.parametrize(
    ("annotation", "asks"),
    [
        (BinaryIO, True), (IO[bytes], True), (io.BufferedIOBase, True), (Stream, True),
        ("BinaryIO", True), ("typing.BinaryIO", True), ("t.IO[bytes]", True), ("'BinaryIO'", True),
        (bytes, False), (str, False), (IO[str], False), (Any, False), ("bytes", False), ("NotBinaryIO", False),
        (inspect.Parameter.empty, False), (list[int], False), ([], False),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("name", "function"), [("input_fn", read), ("transform_fn", transform)])
def test_an_annotation_of_the_body_asks_for_a_file(
    tmp_path: Path, name: str, function: Any, annotation: Any, asks: bool
) -> None:
    copy = FunctionType(function.__code__, {})
    copy.__annotations__ = {"content_type": BinaryIO, "body": annotation}
    if annotation is inspect.Parameter.empty:
        del copy.__annotations__["body"]
    assert chosen(tmp_path, predictor(**{name: copy})).takes_file is asks


def test_handlers_without_a_signature_ask_for_no_file(tmp_path: Path) -> None:
    assert not chosen(tmp_path, predictor(input_fn=max)).takes_file
    assert not chosen(tmp_path, predictor()).takes_file


def test_functions_that_are_not_written_are_defaults(tmp_path: Path) -> None:
    handlers = chosen(tmp_path, predictor(predict_fn=predict))
    assert handlers.sources == {
        "model_fn": "default",
        "input_fn": "default",
        "predict_fn": "predictor.py",
        "output_fn": "default",
    }
    assert handlers.input_fn is None
    assert not handlers.write_output


def test_scr_02_a_function_may_do_without_context(tmp_path: Path) -> None:
    handlers = chosen(tmp_path, predictor(predict_fn=lambda data, model: (data, model)))
    assert handlers.predict_fn("data", "model", "context") == ("data", "model")


def test_scr_02_a_function_may_take_context_last(tmp_path: Path) -> None:
    handlers = chosen(tmp_path, predictor(predict_fn=lambda data, model, context: (data, model, context)))
    assert handlers.predict_fn("data", "model", "context") == ("data", "model", "context")


def test_star_arguments_take_the_context_too(tmp_path: Path) -> None:
    handlers = chosen(tmp_path, predictor(input_fn=lambda *given: given))
    assert handlers.input_fn("body", "type", "context") == ("body", "type", "context")


def test_an_optional_argument_of_another_name_is_not_given_the_context(tmp_path: Path) -> None:
    """A context in the place of threshold=0.5 would be a silent wrong answer."""

    def predict_fn(data: Any, model: Any, threshold: float = 0.5) -> Any:
        return threshold

    assert chosen(tmp_path, predictor(predict_fn=predict_fn)).predict_fn("data", "model", "context") == 0.5


def test_an_optional_context_is_given(tmp_path: Path) -> None:
    def predict_fn(data: Any, model: Any, context: Any = None) -> Any:
        return context

    assert chosen(tmp_path, predictor(predict_fn=predict_fn)).predict_fn("data", "model", "context") == "context"


def test_a_class_may_be_model_fn(tmp_path: Path) -> None:
    class Predictor:
        def __init__(self, model_dir: str) -> None:
            self.model_dir = model_dir

    model = chosen(tmp_path, predictor(model_fn=Predictor)).model_fn("here", "context")
    assert (type(model), model.model_dir) == (Predictor, "here")


def test_a_builtin_without_a_signature_is_called_without_context(tmp_path: Path) -> None:
    assert chosen(tmp_path, predictor(model_fn=dict.fromkeys)).model_fn("ab", "context") == {"a": None, "b": None}
    assert chosen(tmp_path, predictor(model_fn=str)).model_fn("here", "context") == "here"


def test_a_wrong_number_of_arguments_is_told_at_start(tmp_path: Path) -> None:
    with pytest.raises(StartupError) as told:
        chosen(tmp_path, predictor(predict_fn=lambda data: data))
    assert told.value.phase == "handlers"
    assert str(told.value) == (
        "predictor.py: predict_fn takes 1 argument (data); "
        "write predict_fn(data, model) or predict_fn(data, model, context)"
    )
    assert told.value.file.startswith(f"{__file__}:"), "its own line, not that of the check"


def test_an_async_function_is_told_at_start(tmp_path: Path) -> None:
    """Its coroutine would be answered as if it were the prediction."""

    async def predict_fn(data: Any, model: Any) -> Any:
        return data

    with pytest.raises(StartupError, match="predict_fn is async"):
        chosen(tmp_path, predictor(predict_fn=predict_fn))


@pytest.mark.parametrize(
    ("name", "meant"),
    [("predict_fnn", "predict_fn"), ("predictfn", "predict_fn"), ("Input_fn", "input_fn"), ("outputs_fn", "output_fn")],
)
def test_a_misspelt_handler_is_told_with_the_nearest_name(
    name: str, meant: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody calls it, and the default would answer without a word."""
    chosen(tmp_path, predictor(**{name: predict}))
    (record,) = caplog.records
    assert (record.getMessage(), vars(record)["function"], vars(record)["did_you_mean"]) == (
        "unknown_handler",
        name,
        meant,
    )


@pytest.mark.parametrize("name", ["predict", "load_model", "loss_fn", "ping", "transform", "model"])
def test_a_function_of_the_users_own_is_no_misspelt_handler(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chosen(tmp_path, predictor(**{name: predict}))
    assert caplog.records == []


def test_a_name_that_is_no_function_is_told_at_start(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="input_fn is of type int, not a function"):
        chosen(tmp_path, predictor(input_fn=5))


def test_scr_03_transform_fn_beside_the_functions_it_replaces_is_told_at_start(tmp_path: Path) -> None:
    both = predictor(transform_fn=transform, predict_fn=predict)
    with pytest.raises(StartupError, match="transform_fn replaces input_fn, predict_fn and output_fn"):
        chosen(tmp_path, both)


def test_the_artifacts_own_script_wins_as_a_whole(tmp_path: Path) -> None:
    """Half of one file and half of another is no program that anyone wrote."""
    write_code(tmp_path, "def predict_fn(data, model): return 'artifact'")
    handlers = chosen(tmp_path, predictor(input_fn=read))
    assert handlers.predict_fn("data", "model", None) == "artifact"
    assert handlers.input_fn is None
    assert handlers.sources["predict_fn"] == "inference.py"


def test_scr_07_the_script_may_have_another_name(tmp_path: Path) -> None:
    write_code(tmp_path, "def predict_fn(data, model): return 'serve_me'", "serve_me.py")
    handlers = chosen(tmp_path, SAGEMAKER_PROGRAM="serve_me.py")
    assert handlers.predict_fn("data", "model", None) == "serve_me"


def test_scr_07_the_script_may_lie_in_another_folder(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "inference.py").write_text("def predict_fn(data, model): return 'elsewhere'")
    handlers = chosen(tmp_path, SAGEMAKER_SUBMIT_DIRECTORY=str(tmp_path / "elsewhere"))
    assert handlers.predict_fn("data", "model", None) == "elsewhere"


def test_an_address_in_s3_stands_for_the_code_in_the_artifact(tmp_path: Path) -> None:
    """The SDK's Model names where it uploaded the artifact that it has packed the code into."""
    write_code(tmp_path, "def predict_fn(data, model): return 'code'")
    handlers = chosen(tmp_path, SAGEMAKER_SUBMIT_DIRECTORY="s3://bucket/model.tar.gz")
    assert handlers.predict_fn("data", "model", None) == "code"


def test_scr_07_a_named_script_that_is_missing_is_told_at_start(tmp_path: Path) -> None:
    """Falling back to predictor.py would serve another program than the one asked for."""
    write_code(tmp_path, "", "inference.py")
    with pytest.raises(StartupError, match=r"SAGEMAKER_PROGRAM=serve_me\.py"):
        chosen(tmp_path, SAGEMAKER_PROGRAM="serve_me.py")


def test_scr_07_a_named_script_without_its_folder_is_told_at_start(tmp_path: Path) -> None:
    """As where the SDK has left the code in S3."""
    with pytest.raises(StartupError, match=r"SAGEMAKER_PROGRAM=serve_me\.py, but the artifact has no code/serve_me"):
        chosen(tmp_path, SAGEMAKER_PROGRAM="serve_me.py", SAGEMAKER_SUBMIT_DIRECTORY="s3://bucket/sourcedir.tar.gz")


def test_of_many_models_one_may_do_without_the_named_script(tmp_path: Path) -> None:
    handlers = chosen(
        tmp_path, predictor(predict_fn=predict), SAGEMAKER_PROGRAM="serve_me.py", SAGEMAKER_MULTI_MODEL="true"
    )
    assert handlers.sources["predict_fn"] == "predictor.py"


def test_scr_08_a_module_beside_the_script_can_be_imported(tmp_path: Path) -> None:
    write_code(tmp_path, "ANSWER = 42", "beside_the_script.py")
    write_code(tmp_path, "from beside_the_script import ANSWER\ndef predict_fn(data, model): return ANSWER")
    assert chosen(tmp_path).predict_fn("data", "model", None) == 42


def test_scr_07_the_script_may_be_named_without_its_ending(tmp_path: Path) -> None:
    """As the training toolkit of scikit-learn's container takes it."""
    write_code(tmp_path, "def predict_fn(data, model): return 'serve_me'", "serve_me.py")
    assert chosen(tmp_path, SAGEMAKER_PROGRAM="serve_me").predict_fn("data", "model", None) == "serve_me"


def test_a_package_in_lib_can_be_imported(tmp_path: Path) -> None:
    """Where the SDK puts `dependencies`."""
    (tmp_path / "code" / "lib" / "of_lib").mkdir(parents=True)
    (tmp_path / "code" / "lib" / "of_lib" / "__init__.py").write_text("ANSWER = 42")
    write_code(tmp_path, "from of_lib import ANSWER\ndef predict_fn(data, model): return ANSWER")
    assert chosen(tmp_path).predict_fn("data", "model", None) == 42


def test_what_lies_in_lib_as_a_package_counts_as_installed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """pip install --target code/lib, as users of TensorFlow's container do."""
    info = tmp_path / "code" / "lib" / "in_lib-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: in_lib\nVersion: 1.0\n")
    write_code(tmp_path, "in-lib==1.0\nno-such-package", "requirements.txt")
    write_code(tmp_path, "")
    chosen(tmp_path)
    assert vars(caplog.records[0])["missing"] == ["no-such-package: not installed"]


def test_an_import_that_a_requirement_would_have_met_names_its_line(tmp_path: Path) -> None:
    write_code(tmp_path, "numpy\nopencv-python-headless>=4", "requirements.txt")
    write_code(tmp_path, "import cv2")
    with pytest.raises(StartupError, match=r"opencv-python-headless>=4 \(requirements\.txt, line 2\)"):
        chosen(tmp_path)


def test_the_toolkits_hooks_run_before_and_after_model_fn(tmp_path: Path) -> None:
    calls: list[Any] = []
    handlers = chosen(
        tmp_path,
        predictor(
            pre_model_fn=lambda model_dir: calls.append(("before", model_dir)),
            model_fn=lambda model_dir: calls.append(("load", model_dir)) or "model",
            model_warmup_fn=lambda model_dir, model, context: calls.append(("after", model_dir, model, context)),
        ),
    )
    assert handlers.model_fn("here", "context") == "model"
    assert calls == [("before", "here"), ("load", "here"), ("after", "here", "model", "context")]
    assert handlers.sources["pre_model_fn"] == "predictor.py"


def test_nothing_is_written_into_the_artifact(tmp_path: Path) -> None:
    write_code(tmp_path, "", "beside_the_script.py")
    write_code(tmp_path, "import beside_the_script")
    chosen(tmp_path)
    assert sorted(path.name for path in (tmp_path / "code").iterdir()) == ["beside_the_script.py", "inference.py"]


def test_a_missing_library_names_the_package_to_add(tmp_path: Path) -> None:
    write_code(tmp_path, "import cv2")
    with pytest.raises(StartupError, match=r"No module named 'cv2'.*Add opencv-python-headless to requirements.txt"):
        chosen(tmp_path)


@pytest.mark.parametrize("text", ["1 / 0", "def (", "raise SystemExit(0)"])
def test_a_predictor_that_fails_on_import_is_a_startup_error_with_its_cause(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "predictor.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("predictor", None)
    with pytest.raises(StartupError) as told:
        load_predictor()
    assert told.value.phase == "import"
    assert isinstance(told.value.__cause__, (ZeroDivisionError, SyntaxError, SystemExit))


def test_scr_05_json_and_csv_are_str_for_user_code() -> None:
    assert readable(b'{"a": 1}', "application/json") == '{"a": 1}'
    assert readable("é".encode(), "Text/CSV; charset=utf-8") == "é"


def test_scr_05_other_bodies_are_bytes_for_user_code() -> None:
    assert readable(b"\x93NUMPY", "application/x-npy") == b"\x93NUMPY"
    assert readable(b"\xff\xfe", "image/png") == b"\xff\xfe"


def test_the_charset_of_the_media_type_is_used() -> None:
    assert readable("é".encode("latin-1"), "text/csv; charset=ISO-8859-1") == "é"


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert readable(b"\xef\xbb\xbf{}", "application/json") == "{}"


def test_bytes_that_are_not_of_the_charset_are_the_clients_fault() -> None:
    with pytest.raises(DecodeError, match="byte 2 is not utf-8"):
        readable(b"a\xff", "text/csv")


@pytest.mark.parametrize("charset", ["x-nope", "base64", "a\\0b"])
def test_an_unknown_charset_is_415(charset: str) -> None:
    with pytest.raises(UnsupportedMediaType, match="send UTF-8"):
        readable(b"a", f"text/csv; charset={charset}")
