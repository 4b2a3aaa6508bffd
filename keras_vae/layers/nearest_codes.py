"""The nearest code of each vector, in memory that does not grow with them."""

import tensorflow as tf

from keras_vae.typing import TensorLike

# Scores in memory at a time, 16 MB: more do not stay in a processor's cache.
CHUNK_SCORES = 2**22
# Codes that compete in the second round.
BLOCK = 32


def nearest_codes(
    z: TensorLike, codebook: TensorLike, chunk_size: int | None = None
) -> tf.Tensor:
    """Index of the code nearest to each vector; ties go to the lowest.

    argmin_k ||z - e_k||^2 = argmin_k ||e_k||^2 / 2 - z.e_k

    These scores are one matrix product, of which a chunk exists at a time. The
    codebook's mean is the origin, so that what vectors and codes have in
    common costs no precision. No gradient flows.

    Args:
        z: Tensor (n, dim), float32; n may be 0, or unknown until it runs.
        codebook: Tensor (num_codes, dim), float32.
        chunk_size: Vectors searched at a time. None takes as many as give
            2**22 scores.

    Returns:
        Tensor (n,) of int32.
    """
    z, codebook = tf.stop_gradient(z), tf.stop_gradient(codebook)
    num_codes, dim = codebook.shape
    chunk_size = chunk_size or max(1, CHUNK_SCORES // num_codes)
    # Filled up to whole blocks with codes at infinity, which never win.
    num_blocks = -(-num_codes // BLOCK)
    spare = num_blocks * BLOCK - num_codes
    origin = tf.reduce_mean(codebook, axis=0)
    codes = codebook - origin
    half_norms = tf.pad(
        0.5 * tf.reduce_sum(codes**2, axis=1),
        [[0, spare]],
        constant_values=float("inf"),
    )
    directions = tf.transpose(tf.pad(-codes, [[0, spare], [0, 0]]))
    weights = tf.concat([directions, half_norms[None]], axis=0)

    def search(vectors):
        ones = tf.ones((tf.shape(vectors)[0], 1))
        scores = tf.concat([vectors - origin, ones], axis=1) @ weights
        # An argmin over all codes is slow on a processor. The minimum of each
        # block is fast, and leaves few to look at.
        scores = tf.reshape(scores, (-1, num_blocks, BLOCK))
        block = tf.argmin(tf.reduce_min(scores, axis=2), 1, tf.int32)
        scores = tf.gather(scores, block, batch_dims=1)
        index = block * BLOCK + tf.argmin(scores, 1, tf.int32)
        # A vector that is not finite has no nearest code, but an index.
        return tf.minimum(index, num_codes - 1)

    if z.shape[0] is not None and z.shape[0] <= chunk_size:
        return search(z)
    n = tf.shape(z)[0]
    # At least one vector, so that there is a chunk, and a chunk that fits.
    z = tf.pad(z, [[0, tf.maximum(1 - n, 0)], [0, 0]])
    chunk_size = tf.clip_by_value(n, 1, chunk_size)
    num_chunks = tf.maximum(n, 1) // chunk_size

    def step(i, chunks):
        rows = tf.slice(z, (i * chunk_size, 0), (chunk_size, dim))
        return i + 1, chunks.write(i, search(rows))

    _, chunks = tf.while_loop(
        lambda i, _: i < num_chunks,
        step,
        (0, tf.TensorArray(tf.int32, num_chunks)),
        parallel_iterations=1,
    )
    whole = tf.reshape(chunks.stack(), (-1,))
    rest = search(z[num_chunks * chunk_size :])
    return tf.concat([whole, rest], axis=0)[:n]
