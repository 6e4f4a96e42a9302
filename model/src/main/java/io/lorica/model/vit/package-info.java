/** ViT, the vision transformer as a classifier of images. */
@NullMarked
package io.lorica.model.vit;

import org.jspecify.annotations.NullMarked;
