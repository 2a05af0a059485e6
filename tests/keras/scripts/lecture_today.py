import keras
import numpy as np
from keras.datasets import mnist
from keras.layers import Activation, Conv2D, Dense, Flatten, MaxPooling2D
from keras.models import Sequential
from keras.utils import to_categorical

keras.config.set_image_data_format("channels_first")
(x_train, y_train), (x_test, y_test) = mnist.load_data()
x_train = x_train.reshape(-1, 1, 28, 28).astype("float32") / 255
x_test = x_test.reshape(-1, 1, 28, 28).astype("float32") / 255
y_train, y_test = to_categorical(y_train, 10), to_categorical(y_test, 10)

model = Sequential()
model.add(keras.Input((1, 28, 28)))
model.add(Conv2D(25, (3, 3)))
model.add(MaxPooling2D((2, 2)))
model.add(Conv2D(50, (3, 3)))
model.add(MaxPooling2D((2, 2)))
model.add(Flatten())
model.add(Dense(100))
model.add(Activation("relu"))
model.add(Dense(10))
model.add(Activation("softmax"))
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])

model.fit(x_train, y_train, batch_size=50, epochs=3, verbose=2)
score = model.evaluate(x_test, y_test, verbose=0)
print("Total loss on Testing Set:", score[0])
print("Accuracy of Testing Set:", score[1])
result = model.predict(x_test, verbose=0)
print(result.shape, np.argmax(result, axis=1)[:10])
keras.config.set_image_data_format("channels_last")
