"""``keras.applications``: refused by name; its pretrained files are read where layers allow."""

from beak.keras.config import missing

__getattr__ = missing(
    "applications",
    [],
    dict.fromkeys(
        ("VGG16", "ResNet50", "ResNet50V2", "MobileNet", "MobileNetV2", "EfficientNetB0",
         "InceptionV3", "Xception", "DenseNet121", "vgg16", "resnet50", "mobilenet_v2"),
        "the model saved as a .keras file elsewhere and keras.models.load_model, or a network of "
        "beak networks",
    ),
)  # fmt: skip
