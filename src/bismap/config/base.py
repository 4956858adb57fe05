"""Common ground of the configuration's models."""

from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A part of the configuration: unknown keys are errors, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Size = Annotated[tuple[Count, Count], Field(description="width and height, pixels")]
# Names become parts of paths, where `-s3` stands for a seed and `.` begins a suffix.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]
Assignment = Literal["maps", "posterior", "cas", "ias", "softmax"]


def name_of(thing: str, reserved: Collection[str]) -> Any:
    """The type of a name that must not be one of ``reserved``."""

    def check(name: str) -> str:
        if name in reserved:
            raise ValueError(f"reserved, cannot name {thing}")
        return name

    return Annotated[Name, AfterValidator(check)]
