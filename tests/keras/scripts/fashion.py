import keras
import numpy as np

fashion_mnist = keras.datasets.fashion_mnist
(train_images, train_labels), (test_images, test_labels) = fashion_mnist.load_data()
class_names = ["shirt", "trousers", "pullover", "dress", "coat",
               "sandal", "blouse", "sneaker", "bag", "boot"]  # fmt: skip

train_images = train_images / 255.0
test_images = test_images / 255.0

model = keras.models.Sequential()
model.add(keras.layers.Input(shape=[28, 28]))
model.add(keras.layers.Flatten())
model.add(keras.layers.Dense(40, activation="relu", kernel_initializer="he_normal"))
model.add(keras.layers.Dense(20, activation="relu"))
model.add(keras.layers.Dense(10))

model.compile(
    optimizer=keras.optimizers.SGD(learning_rate=0.05, momentum=0.9),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
history = model.fit(
    train_images[40:], train_labels[40:], epochs=3,
    validation_data=(train_images[:40], train_labels[:40]), verbose=2,
)  # fmt: skip
for name, values in history.history.items():
    print(name, [round(value, 4) for value in values])

test_loss, test_acc = model.evaluate(test_images, test_labels, verbose=2)

probability_model = keras.Sequential([model, keras.layers.Softmax()])
predictions = probability_model.predict(test_images, verbose=0)
print(predictions.shape, [class_names[i] for i in np.argmax(predictions[:5], axis=1)])
print(predictions[0])

weights, biases = model.layers[1].get_weights()
print(weights.shape, biases[:5])
