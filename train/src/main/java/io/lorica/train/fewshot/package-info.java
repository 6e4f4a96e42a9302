/** Few-shot classification of images with CLIP: image sets, the protocol, and a small CLIP made for it. */
@NullMarked
package io.lorica.train.fewshot;

import org.jspecify.annotations.NullMarked;
