package io.lorica.train.fewshot;

import io.lorica.model.image.Picture;
import io.lorica.model.image.Resampling;
import java.util.SplittableRandom;

/**
 * A random part of a picture, resized, and half of the time mirrored: CLIP-LoRA's augmentation, with the sizes and the
 * fallback of torchvision's {@code RandomResizedCrop}.
 *
 * @param smallest least share of the area that is kept, at most 1
 * @param flips how often the result is mirrored; 0 for pictures whose mirror image means something else (digits)
 */
record Augmentation(int size, double smallest, double flips) {
    private static final int TRIES = 10;
    private static final double NARROWEST = 3.0 / 4;
    private static final double WIDEST = 4.0 / 3;

    Picture apply(Picture picture, SplittableRandom random) {
        Picture part = smallest >= 1 ? picture : part(picture, random);
        Picture sized = Resampling.BICUBIC.resize(part, size, size);
        return random.nextDouble() < flips ? sized.flipped() : sized;
    }

    private Picture part(Picture picture, SplittableRandom random) {
        double area = (double) picture.width() * picture.height();
        for (int i = 0; i < TRIES; i++) {
            double target = area * random.nextDouble(smallest, 1);
            double ratio = Math.exp(random.nextDouble(Math.log(NARROWEST), Math.log(WIDEST)));
            int width = (int) Math.round(Math.sqrt(target * ratio));
            int height = (int) Math.round(Math.sqrt(target / ratio));
            if (width > 0 && height > 0 && width <= picture.width() && height <= picture.height()) {
                int x = random.nextInt(picture.width() - width + 1);
                int y = random.nextInt(picture.height() - height + 1);
                return picture.crop(x, y, width, height);
            }
        }
        int side = Math.min(picture.width(), picture.height());
        return picture.crop((picture.width() - side) / 2, (picture.height() - side) / 2, side, side);
    }
}
