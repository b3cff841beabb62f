"""The length of a training, its device, its checkpoints and its early end."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from experiments.config.types import Count, NonNegative, Positive, Strict


class Trainer(Strict):
    """The length of the training, its device and its checkpoints."""

    epochs: Count = Field(examples=[10])
    """the number of passes over the training set"""
    device: str = Field(examples=["cpu"])
    """the device to train on: auto, cpu, cuda, cuda:N or mps"""
    threads: Count = Field(le=1024, examples=[2])
    """the number of CPU threads that torch uses"""
    deterministic: bool = Field(examples=["true"])
    """whether operations without a repeatable kernel are refused"""
    precision: Literal["float32", "bf16-mixed", "fp16-mixed"] = Field(examples=["bf16-mixed"])
    """the precision of the forward pass and the loss; 16 bits where torch.autocast allows it"""
    matmul_precision: Literal["highest", "high", "medium"] = Field(examples=["high"])
    """the precision of products of float32 matrices; high, medium allow fewer bits, as TF32"""
    compile: Literal["default", "reduce-overhead", "max-autotune"] | None = Field(
        examples=["default"]
    )
    """the mode in which torch.compile compiles the model; null for none"""
    limit_batches: Count | None = Field(examples=[5])
    """the largest number of batches in an epoch and in a test; null for all"""
    gradient_clip_val: Positive | None = Field(examples=[1.0])
    """the bound of the gradients; null for none"""
    gradient_clip_algorithm: Literal["norm", "value"] = Field(examples=["norm"])
    """whether the bound is for the norm of all gradients together, or for each value"""
    accumulate_grad_batches: Count = Field(examples=[1])
    """the number of batches whose mean gradient makes one optimizer step"""
    profile: Count | None = Field(examples=[20])
    """the number of optimizer steps to profile after a warm-up of five; null for none"""
    checkpoint_every: Count = Field(examples=[1])
    """the number of epochs from one checkpoint to the next"""
    stop_on_divergence: bool = Field(examples=["true"])
    """whether the run ends early when the loss or a weight is NaN or infinite"""
    monitor: str = Field(examples=["val_loss"])
    """the validation metric that patience, save_best and ReduceLROnPlateau compare, val_<name>"""
    patience: Count | None = Field(examples=[5])
    """the number of epochs without improvement before the run stops; null for never"""
    min_delta: NonNegative = Field(examples=[0.001])
    """the change of the monitored metric that an improvement must exceed"""
    save_best: bool = Field(examples=["true"])
    """whether the weights of the best epoch are tested and kept, not those of the last"""
    shards: Count = Field(examples=[4])
    """the number of pieces of a batch, which several processes can share"""
    strategy: Literal["shards", "ddp"] = Field(examples=["shards"])
    """how processes share a batch: by shards, or by DistributedDataParallel"""

    @model_validator(mode="after")
    def _shards_are_used(self) -> Trainer:
        if self.strategy == "ddp" and self.shards > 1:
            raise ValueError(
                f"trainer.shards={self.shards}: has no effect with trainer.strategy=ddp; leave it "
                "1, or choose trainer.strategy=shards"
            )
        if self.shards > 1 and self.precision == "fp16-mixed":
            raise ValueError(
                f"trainer.shards={self.shards}: cannot be with trainer.precision=fp16-mixed, whose "
                "scale of the loss follows whole batches; choose bf16-mixed or float32, or "
                "trainer.shards=1"
            )
        return self

    @field_validator("device")
    @classmethod
    def _is_a_device(cls, device: str) -> str:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
            raise ValueError(f"trainer.device={device}: choose from auto, cpu, cuda, cuda:N or mps")
        return device

    @model_validator(mode="after")
    def _compiles_repeatably(self) -> Trainer:
        if self.compile == "max-autotune" and self.deterministic:
            raise ValueError(
                "trainer.compile=max-autotune: chooses kernels by their speed at the moment, so it "
                "has not the same bits each time; choose default or reduce-overhead, or set "
                "trainer.deterministic=false"
            )
        if self.compile in {"reduce-overhead", "max-autotune"} and self.accumulate_grad_batches > 1:
            raise ValueError(
                f"trainer.compile={self.compile}: has gradients in the memory of CUDA graphs, "
                "which each batch overwrites; choose trainer.compile=default, or "
                "trainer.accumulate_grad_batches=1"
            )
        if self.compile in {"reduce-overhead", "max-autotune"} and self.strategy == "ddp":
            raise ValueError(
                f"trainer.compile={self.compile}: has gradients in the memory of CUDA graphs, "
                "which DistributedDataParallel cannot sum; choose trainer.compile=default, or "
                "trainer.strategy=shards"
            )
        return self
