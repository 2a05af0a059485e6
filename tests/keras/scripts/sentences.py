import numpy as np
from keras import layers
from keras.models import Sequential, load_model

max_features, maxlen, embedding_dims = 200, 30, 12

rng = np.random.default_rng(7)
x_train = rng.integers(4, max_features, (200, maxlen))
y_train = rng.integers(0, 2, 200)
x_train[y_train == 1, 5:8] = (11, 12, 13)
x_test, y_test = x_train[150:], y_train[150:]
x_train, y_train = x_train[:150], y_train[:150]
print(len(x_train), "train sequences", len(x_test), "test sequences")

model = Sequential()
model.add(layers.Input((maxlen,), dtype="int32"))
model.add(layers.Embedding(max_features, embedding_dims))
model.add(layers.SpatialDropout1D(0.2))
model.add(layers.Conv1D(16, 3, padding="valid", activation="relu", strides=1))
model.add(layers.GlobalMaxPooling1D())
model.add(layers.Dense(24))
model.add(layers.Dropout(0.2))
model.add(layers.Activation("relu"))
model.add(layers.Dense(1))
model.add(layers.Activation("sigmoid"))

model.compile(loss="binary_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
model.fit(
    x_train, y_train, batch_size=25, epochs=3, validation_data=(x_test, y_test),
    class_weight={0: 1.0, 1: 2.0}, verbose=2,
)  # fmt: skip
model.save("sentences.keras")

again = load_model("sentences.keras")
again.fit(x_train, y_train, batch_size=25, initial_epoch=3, epochs=4, verbose=2)
loss, accuracy = again.evaluate(x_test, y_test, batch_size=20, verbose=0)
print(f"loss {loss:.4f}, accuracy {accuracy:.4f}")
print(again.predict(x_test[:4], verbose=0).ravel())
