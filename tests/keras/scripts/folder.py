import os

import keras
import numpy as np
from keras import layers
from PIL import Image

image_size, batch_size = (24, 20), 8

rng = np.random.default_rng(9)
for part, count in (("train", 12), ("validation", 5)):
    for name, colour in (("cats", 0), ("dogs", 2)):
        os.makedirs(os.path.join("pets", part, name))
        for number in range(count):
            pixels = rng.integers(0, 120, (*image_size, 3))
            pixels[..., colour] += 60
            Image.fromarray(pixels.astype("uint8")).save(f"pets/{part}/{name}/{number:02d}.png")

train_ds = keras.utils.image_dataset_from_directory(
    "pets/train", image_size=image_size, batch_size=batch_size, shuffle=False
)
val_ds = keras.utils.image_dataset_from_directory(
    "pets/validation", image_size=image_size, batch_size=batch_size, shuffle=False
)


def make_model(input_shape, num_classes):
    inputs = keras.Input(shape=input_shape)
    x = layers.Rescaling(1.0 / 255)(inputs)
    x = layers.Conv2D(8, 3, strides=2, padding="same")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("relu")(x)
    previous = x
    for size in (12, 16):
        x = layers.Activation("relu")(x)
        x = layers.SeparableConv2D(size, 3, padding="same")(x)
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        residual = layers.Conv2D(size, 1, strides=2, padding="same")(previous)
        x = layers.add([x, residual])
        previous = x
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.25)(x)
    units = 1 if num_classes == 2 else num_classes
    return keras.Model(inputs, layers.Dense(units, activation=None)(x))


model = make_model(input_shape=(*image_size, 3), num_classes=2)
model.compile(
    optimizer=keras.optimizers.SGD(0.02, momentum=0.9, nesterov=True),
    loss=keras.losses.BinaryCrossentropy(from_logits=True),
    metrics=[keras.metrics.BinaryAccuracy(name="acc")],
)
model.fit(train_ds, epochs=3, validation_data=val_ds, verbose=2)

img = keras.utils.load_img("pets/train/dogs/03.png", target_size=image_size)
img_array = np.expand_dims(keras.utils.img_to_array(img), 0)
score = 1 / (1 + np.exp(-float(model.predict(img_array, verbose=0)[0][0])))
print(f"This image is {100 * (1 - score):.1f}% cat and {100 * score:.1f}% dog.")
