"""Callbacks: who is told when a batch, an epoch or the training begins and ends."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from beak.errors import UsageError
from beak.keras import config

Logs = dict[str, Any]
EVENTS = (
    "on_epoch_begin", "on_epoch_end", "on_batch_begin", "on_batch_end",
    "on_train_batch_begin", "on_train_batch_end", "on_test_batch_begin", "on_test_batch_end",
    "on_predict_batch_begin", "on_predict_batch_end", "on_train_begin", "on_train_end",
    "on_test_begin", "on_test_end", "on_predict_begin", "on_predict_end",
)  # fmt: skip


class Callback:
    """Base of all callbacks; it has ``self.model``, and ``self.params``: verbose, epochs, steps."""

    model: Any = None
    params: Logs = {}  # noqa: RUF012 - set anew for each training

    def set_params(self, params: Logs) -> None:
        """Take what is known of the training."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Take the model."""
        self.model = model

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A batch of training begins."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """It is done."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """As on_train_batch_begin."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """As on_train_batch_end."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """An epoch begins."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """It is done; ``logs`` may be added to."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Training begins."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """It is done."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A batch of evaluation begins."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """It is done."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Evaluation begins."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """It is done."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A batch of prediction begins."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """It is done."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Prediction begins."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """It is done."""


class CallbackList:
    """Several, told one after the other."""

    def __init__(self, callbacks: Any, model: Any, params: Logs) -> None:
        one = callbacks is not None and not isinstance(callbacks, list | tuple)
        self.callbacks: list[Callback] = [callbacks] if one else list(callbacks or ())
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise UsageError(f"{callback!r} is no callback; a keras.callbacks.Callback wanted")
            callback.set_params(params)
            callback.set_model(model)
        self._heard = {event: [c for c in self.callbacks if _hears(c, event)] for event in EVENTS}

    def tell(self, event: str, *values: Any) -> None:
        """Call this method of each that has one."""
        for callback in self._heard[event]:
            getattr(callback, event)(*values)


def _hears(callback: Callback, event: str) -> bool:
    kind = type(callback)
    names = {event, event.replace("_train_batch_", "_batch_")}
    return any(
        getattr(kind, name) is not getattr(Callback, name) or name in vars(callback)
        for name in names
    )


class History(Callback):
    """What each epoch came to: ``history`` by name, ``epoch`` their numbers."""

    def __init__(self) -> None:
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write it down."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


class _Monitoring(Callback):
    """What watches one of the logs' values."""

    def __init__(
        self, monitor: str = "val_loss", mode: str = "auto", min_delta: float = 0.0
    ) -> None:
        if mode not in ("auto", "min", "max"):
            config.note(f"{type(self).__name__}: mode={mode!r} is unknown, 'auto' is taken")
            mode = "auto"
        self.monitor, self.mode, self.min_delta = monitor, mode, abs(min_delta)

    @property
    def up(self) -> bool:
        """Whether more is better; UsageError where neither the mode nor the metric says."""
        if self.mode != "auto":
            return self.mode == "max"
        plain = self.monitor.removeprefix("val_")
        for metric in self.model.metrics:
            if metric.name == plain and metric.direction is not None:
                return bool(metric.direction == "up")
        if plain == "loss":
            return False
        raise UsageError(
            f"{type(self).__name__}: whether more or less of '{self.monitor}' is better is not "
            "known; mode='min' or mode='max' was wanted"
        )

    def better(self, value: float, best: float | None) -> bool:
        """Whether a value beats the best by more than min_delta."""
        if best is None:
            return True
        return value - self.min_delta > best if self.up else value + self.min_delta < best

    def seen(self, logs: Logs | None) -> float | None:
        """The watched value; a note where there is none."""
        value = (logs or {}).get(self.monitor)
        if value is None and not isinstance(self, ModelCheckpoint):
            self.up  # noqa: B018 - a name that no metric has is refused
        if value is None:
            config.note(
                f"{type(self).__name__}: no '{self.monitor}' to watch; there are "
                f"{', '.join(logs or {}) or 'none'}"
            )
        return value


class EarlyStopping(_Monitoring):
    """Stop when a value has not become better for ``patience`` epochs."""

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience, self.verbose, self.baseline = patience, verbose, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        self.on_train_begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin anew."""
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best: float | None = None
        self.best_weights: list[Any] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Look at the value."""
        value = self.seen(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if self.better(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.better(value, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Bring the best weights back where that is asked for."""
        if self.stopped_epoch > 0 and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                print(
                    "Restoring model weights from the end of the best epoch: "
                    f"{self.best_epoch + 1}."
                )
            self.model.set_weights(self.best_weights)


class ModelCheckpoint(_Monitoring):
    """Save the model at each epoch's end, or whenever it is better than before."""

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self.filepath, self.verbose = str(filepath), verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.save_freq, self.best = save_freq, initial_value_threshold
        if save_freq != "epoch" and not isinstance(save_freq, int):
            raise UsageError(f"save_freq={save_freq!r}; 'epoch' or a number of batches was wanted")
        ending = ".weights.h5" if save_weights_only else (".keras", ".h5")
        if not self.filepath.endswith(ending):
            wanted = ending if isinstance(ending, str) else ending[0]
            raise UsageError(f"ModelCheckpoint: {self.filepath} must end in {wanted}")
        self._epoch = self._batches = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Remember which it is."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Save where save_freq is a number of batches."""
        self._batches += 1
        if isinstance(self.save_freq, int) and self._batches % max(1, self.save_freq) == 0:
            self._save(self._epoch, logs or {}, batch)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save."""
        if self.save_freq == "epoch":
            self._save(epoch, logs or {})

    def _save(self, epoch: int, logs: Logs, batch: int | None = None) -> None:
        if self.save_best_only:
            value = self.seen(logs)
            if value is not None and not self.better(value, self.best):
                return
            self.best = value if value is not None else self.best
        names = logs if batch is None else {"batch": batch + 1, **logs}
        try:
            path = self.filepath.format(epoch=epoch + 1, **names)
        except KeyError as error:
            raise UsageError(f"ModelCheckpoint: {self.filepath}: no {error} in the logs") from None
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        save = self.model.save_weights if self.save_weights_only else self.model.save
        save(path, overwrite=True)
        if self.verbose:
            print(f"\nEpoch {epoch + 1}: finished saving model to {path}")


class ReduceLROnPlateau(_Monitoring):
    """Lower the learning rate when a value has not become better for ``patience`` epochs."""

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        if factor >= 1:
            raise UsageError(f"ReduceLROnPlateau: factor={factor}; less than 1 was wanted")
        self.factor, self.patience, self.verbose = factor, patience, verbose
        self.cooldown, self.min_lr = cooldown, min_lr
        self.on_train_begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin anew."""
        self.best: float | None = None
        self.wait = self.cooldown_counter = 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Look at the value; lower the rate where it has waited long enough."""
        optimizer = self.model.optimizer
        if logs is not None:
            logs["learning_rate"] = float(optimizer.learning_rate)
        value = self.seen(logs)
        if value is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.better(value, self.best):
            self.best, self.wait = value, 0
        elif self.cooldown_counter == 0:
            self.wait += 1
            rate = float(optimizer.learning_rate)
            if self.wait >= self.patience and rate > np.float32(self.min_lr):
                _check_settable(self, optimizer)
                lower = max(rate * self.factor, self.min_lr)
                optimizer.learning_rate = lower
                if self.verbose:
                    print(
                        f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {lower}."
                    )
                self.cooldown_counter, self.wait = self.cooldown, 0


class LearningRateScheduler(Callback):
    """The learning rate of each epoch from a function of the epoch (and the rate before)."""

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Set the rate."""
        optimizer = self.model.optimizer
        _check_settable(self, optimizer)
        try:
            rate = self.schedule(epoch, float(optimizer.learning_rate))
        except TypeError:
            rate = self.schedule(epoch)
        if not isinstance(rate, float | np.floating) and not hasattr(rate, "__float__"):
            raise UsageError(f"LearningRateScheduler: the schedule gave {rate!r}, no number")
        optimizer.learning_rate = float(rate)
        if self.verbose:
            print(
                f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to "
                f"{float(rate)}."
            )

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Tell the rate."""
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


def _check_settable(callback: Callback, optimizer: Any) -> None:
    if optimizer.scheduled:
        raise UsageError(
            f"{type(callback).__name__}: the optimizer's learning rate follows a schedule; "
            "give it a number"
        )


class CSVLogger(Callback):
    """A line of a CSV file for each epoch."""

    def __init__(self, filename: Any, separator: str = ",", append: bool = False) -> None:
        self.filename, self.separator, self.append = Path(filename), separator, append
        self._keys: list[str] | None = None
        self._file: Any = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Open the file."""
        self._headed = self.append and self.filename.exists() and self.filename.stat().st_size > 0
        mode = "a" if self.append else "w"
        try:
            self._file = self.filename.open(mode, newline="", encoding="utf-8")
        except OSError as error:
            raise UsageError(
                f"CSVLogger: {self.filename}: {error.strerror}; a file in a folder that is there "
                "was wanted"
            ) from None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write a line."""
        values = dict(logs or {})
        if self._keys is None:
            plain = sorted(k for k in values if not k.startswith("val_"))
            vals = sorted(k for k in values if k.startswith("val_"))
            self._keys = plain + vals
            self._writer = csv.DictWriter(
                self._file, ["epoch", *self._keys], delimiter=self.separator, lineterminator="\n"
            )
            if not self._headed:
                self._writer.writeheader()
        self._writer.writerow({"epoch": epoch, **{k: values.get(k, "NA") for k in self._keys}})
        self._file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the file."""
        self._file.close()
        self._keys = None


class TerminateOnNaN(Callback):
    """Stop when a batch's loss is NaN or infinite."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Look at the loss."""
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            print(f"Batch {batch}: Invalid loss, terminating training")
            self.model.stop_training = True


class LambdaCallback(Callback):
    """Functions in place of methods."""

    def __init__(self, **functions: Callable[..., Any] | None) -> None:
        for event, function in functions.items():
            if event not in EVENTS:
                raise UsageError(f"LambdaCallback: no event {event!r}")
            if function is not None:
                setattr(self, event, function)


class ProgbarLogger(Callback):
    """Nothing more: fit itself prints."""


NEAREST = {
    "TensorBoard": "CSVLogger",
    "BackupAndRestore": "ModelCheckpoint",
    "RemoteMonitor": "LambdaCallback",
    "SwapEMAWeights": "EarlyStopping(restore_best_weights=True)",
}
KNOWN: Sequence[str] = [
    "Callback", "CSVLogger", "EarlyStopping", "History", "LambdaCallback",
    "LearningRateScheduler", "ModelCheckpoint", "ProgbarLogger", "ReduceLROnPlateau",
    "TerminateOnNaN",
]  # fmt: skip
__getattr__ = config.missing("callbacks", KNOWN, NEAREST)
