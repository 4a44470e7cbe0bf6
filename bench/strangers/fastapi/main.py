"""CSV and JSON by hand, refusals by HTTPException."""

import csv
import io

import joblib
from fastapi import FastAPI, HTTPException, Request, Response

app = FastAPI()
model = joblib.load("/opt/ml/model/model.joblib")


@app.get("/ping")
def ping():
    return Response(status_code=200)


@app.post("/invocations")
async def invocations(request: Request):
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    body = await request.body()
    try:
        if media_type == "text/csv":
            rows = [[float(cell) for cell in row] for row in csv.reader(io.StringIO(body.decode()))]
            answer = model.predict(rows)
            return Response("".join(f"{each}\n" for each in answer), media_type="text/csv")
        if media_type == "application/json":
            return {"predictions": model.predict((await request.json())["instances"]).tolist()}
    except (ValueError, KeyError, TypeError) as error:
        raise HTTPException(400, str(error)) from error
    raise HTTPException(415, f"{media_type} is not supported")
