"""The peer that most would write instead: FastAPI, pydantic, the pickled pipeline, a data frame for each request."""

from __future__ import annotations

import os
from typing import Literal

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

_model = joblib.load(os.environ["MODEL_FILE"])
app = FastAPI()


class Loan(BaseModel):
    """One loan: types, ranges, no unknown fields."""

    model_config = ConfigDict(extra="forbid")

    loan_id: str | None = None
    loan_amnt: float = Field(gt=0)
    int_rate: float = Field(ge=0, le=1)
    purpose: str
    grade: Literal["A", "B", "C", "D", "E", "F", "G"]
    annual_inc: float = Field(ge=0)
    revol_util: float | None = Field(default=None, ge=0)
    emp_length: str | None = None
    dti: float
    delinq_2yrs: int = Field(ge=0)
    home_ownership: str


class Prediction(BaseModel):
    """The answer."""

    loan_id: str | None
    late_probability: float


# A plain function runs in a thread, as FastAPI's documentation asks for where a handler computes. `async def` took
# as long here.
@app.post("/predict")
def predict(loan: Loan) -> Prediction:
    """Score one loan."""
    frame = pd.DataFrame([loan.model_dump(exclude={"loan_id"})])
    return Prediction(loan_id=loan.loan_id, late_probability=float(_model.predict_proba(frame)[0, 1]))
