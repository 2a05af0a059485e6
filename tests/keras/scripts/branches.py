import keras
import numpy as np
from keras import layers

rng = np.random.default_rng(3)
x = rng.random((96, 16, 16, 3)).astype("float32")
y = (x[:, 4:8, 4:8, 0].mean(axis=(1, 2)) > 0.5).astype("int32")


def residual_block(x, filters, pooling=False):
    residual = x
    x = layers.Conv2D(filters, 3, activation="relu", padding="same")(x)
    x = layers.Conv2D(filters, 3, activation="relu", padding="same")(x)
    if pooling:
        x = layers.MaxPooling2D(2, padding="same")(x)
        residual = layers.Conv2D(filters, 1, strides=2)(residual)
    elif filters != residual.shape[-1]:
        residual = layers.Conv2D(filters, 1)(residual)
    return layers.add([x, residual])


inputs = keras.Input(shape=(16, 16, 3), name="img")
x1 = residual_block(inputs, 8, pooling=True)
x1 = residual_block(x1, 8)
wide = layers.SeparableConv2D(8, 5, padding="same", activation="relu")(x1)
narrow = layers.Conv2D(4, 1, activation="relu")(x1)
both = layers.Concatenate()([wide, narrow])
gate = layers.Conv2D(12, 1, activation="sigmoid")(both)
both = layers.Multiply()([both, gate])
mean = layers.GlobalAveragePooling2D()(both)
most = layers.GlobalMaxPooling2D()(both)
outputs = layers.Dense(2, activation="softmax")(layers.concatenate([mean, most]))
model = keras.Model(inputs, outputs, name="branches")
model.summary()
print([layer.__class__.__name__ for layer in model.layers])

model.compile(keras.optimizers.RMSprop(1e-3), "sparse_categorical_crossentropy", metrics=["acc"])
model.fit(x, y, batch_size=32, epochs=2, validation_split=0.25, verbose=2)

features = keras.Model(model.input, model.layers[-2].output)
print(features.predict(x[:2], verbose=0).round(3))
copy = keras.models.clone_model(model)
copy.set_weights(model.get_weights())
print(np.abs(copy.predict(x, verbose=0) - model.predict(x, verbose=0)).max())
