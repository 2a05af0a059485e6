import os

import keras
import numpy as np
from keras.callbacks import Callback, CSVLogger, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau

rng = np.random.default_rng(5)
x = rng.normal(size=(120, 10)).astype("float32")
y = np.argmax(x @ rng.normal(size=(10, 4)), axis=1)

model = keras.Sequential(
    [
        keras.layers.Input((10,)),
        keras.layers.Dense(24, activation="relu"),
        keras.layers.Dense(4, activation="softmax"),
    ]
)
model.compile(
    optimizer=keras.optimizers.Adam(0.05),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)


class Watch(Callback):
    def on_train_begin(self, logs=None):
        self.batches = 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1

    def on_epoch_end(self, epoch, logs=None):
        rate = float(self.model.optimizer.learning_rate)
        print(f"epoch {epoch} rate {rate:.5f} {sorted(logs)} loss {logs['loss']:.4f}")


watch = Watch()
history = model.fit(
    x, y, epochs=40, batch_size=20, validation_split=0.3, verbose=0,
    callbacks=[
        ModelCheckpoint("best.keras", monitor="val_loss", save_best_only=True),
        ModelCheckpoint("{epoch:02d}.weights.h5", save_weights_only=True),
        EarlyStopping(monitor="val_loss", patience=6, restore_best_weights=True),
        ReduceLROnPlateau(monitor="val_loss", factor=0.2, patience=2, min_lr=1e-5),
        CSVLogger("log.csv"),
        watch,
    ],
)  # fmt: skip
print(len(history.epoch), "epochs", watch.batches, "batches")
with open("log.csv") as file:
    print(file.read())
print(sorted(name for name in os.listdir() if name.endswith(".h5"))[:3])
best = keras.models.load_model("best.keras")
print(best.evaluate(x, y, verbose=0), model.evaluate(x, y, verbose=0))
model.load_weights("02.weights.h5")
print(model.evaluate(x, y, verbose=0))
