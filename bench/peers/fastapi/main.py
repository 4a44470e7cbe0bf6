"""FastAPI as most people write it: an async handler, a blocking prediction, one model in each worker process."""

import artifact
from fastapi import FastAPI, Request, Response

app = FastAPI()
model = artifact.load()


@app.get("/ping")
async def ping():
    return Response("\n", media_type="application/json")


@app.post("/invocations")
async def invocations(request: Request):
    if request.headers["content-type"] == "text/csv":
        prediction = model.predict(artifact.rows_of((await request.body()).decode()))
        return Response(artifact.csv_of(prediction), media_type="text/csv")
    given = await request.json()
    if artifact.IS_TEXT:
        return {"output": artifact.entities(model, given["input"])}
    return {"predictions": model.predict(given["instances"]).tolist()}
