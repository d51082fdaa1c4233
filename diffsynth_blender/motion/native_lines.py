"""How a line of pixels is carried on by a frame, in C++: a chunk at a time, by lanes where that works."""

from .native_lanes import LANES

LINES = (
    """
    struct Line {
        // `background` for what could not be followed.
        int id[line_size];
        float depth[line_size], tolerance[line_size], x[line_size], y[line_size], z[line_size], seen[line_size];
    };
    struct Chunk {
        int id[chunk_size];
        float depth[chunk_size], x[chunk_size], y[chunk_size], z[chunk_size], followed[chunk_size], seen[chunk_size];
        // 1: not known to be seen; 2: nothing known.
        int todo[chunk_size];
    };
"""
    + LANES
    + """
    // Pixels `begin` to `end` of a chunk exist, the first at `start` in memory.
    auto read_chunk = [&](Chunk& chunk, const int column, const int row, const int begin, const int end) {
        const int start = row * width + column;
        for (int i = 0; i < chunk_size; ++i) {
            chunk.id[i] = background, chunk.todo[i] = 0;
            chunk.depth[i] = chunk.x[i] = chunk.y[i] = chunk.z[i] = chunk.followed[i] = chunk.seen[i] = 0.0f;
        }
        for (int i = begin; i < end; ++i)
            chunk.id[i] = target.id.data[start + i], chunk.depth[i] = target.depth.data[start + i], chunk.todo[i] = 2;
        if (!starts)
            for (int i = begin; i < end; ++i) {
                const float* const trace = (const float*)(trace_in.data + start + i);
                chunk.x[i] = trace[0], chunk.y[i] = trace[1], chunk.z[i] = trace[2], chunk.followed[i] = trace[3];
            }
        for (int i = begin; i < end; ++i) {
            const bool is_background = chunk.id[i] == background, here = starts | is_background;
            chunk.x[i] = here ? (float)(column + i) : chunk.x[i], chunk.y[i] = here ? (float)row : chunk.y[i];
            chunk.z[i] = here ? chunk.depth[i] : chunk.z[i];
            chunk.followed[i] = is_background ? 0.0f : starts ? 1.0f : chunk.followed[i];
        }
    };
    auto follow_pixels = [&](Chunk& chunk, const int column, const int row) {
        for (int i = 0; i < chunk_size; ++i) {
            if (chunk.todo[i] == 0)
                continue;
            if (chunk.todo[i] == 2) {
                wp::vec_t<4, float> trace(chunk.x[i], chunk.y[i], chunk.z[i], chunk.followed[i]);
                if (chunk.id[i] == background)
                    trace = background_at(column + i, row, chunk.depth[i]);
                else if (steps)
                    trace = follow(row * width + column + i, chunk.id[i], trace);
                chunk.x[i] = trace[0], chunk.y[i] = trace[1], chunk.z[i] = trace[2];
                chunk.followed[i] = chunk.id[i] == background ? 0.0f : trace[3];
                if (trace[3] == 0.0f || !in_picture(trace[0], trace[1], width, height))
                    continue;
            }
            chunk.seen[i] = is_seen(far, chunk.x[i], chunk.y[i], chunk.id[i], chunk.z[i]) ? 1.0f : 0.0f;
        }
    };
    auto keep_chunk = [&](const Chunk& chunk, const int column, const int row, const int begin, const int end) {
        for (int i = begin; i < end; ++i) {
            wp::vec_t<4, float> trace(chunk.x[i], chunk.y[i], chunk.z[i], chunk.followed[i]);
            if (chunk.id[i] == background)
                trace = wp::vec_t<4, float>((float)(column + i), (float)row, chunk.depth[i], 0.0f);
            kept_out.data[row * width + column + i] = trace;
        }
    };
    auto read_line = [&](Line& line, const int left, const int count, const int row, const bool keeps) {
        for (int first = 0; first < count; first += chunk_size) {
            const int column = left - 1 + first, length = count - first < chunk_size ? count - first : chunk_size;
            const int begin = column < 0 ? -column : 0, room = row >= 0 && row < height ? width - column : 0;
            const int end = length < room ? length : room;
            Chunk chunk;
            read_chunk(chunk, column, row, begin, end);
#if !defined(__CUDA_ARCH__)
            if (width > 1 && height > 1)
                follow_lanes(chunk, column, row, begin, end);
#endif
            follow_pixels(chunk, column, row);
            if (keeps)
                keep_chunk(chunk, column, row, first == 0 ? 1 : 0, end - (first + end == count));
            for (int i = 0; i < chunk_size && first + i < line_size; ++i) {
                line.id[first + i] = chunk.followed[i] != 0.0f ? chunk.id[i] : background;
                line.depth[first + i] = chunk.depth[i];
                line.x[first + i] = chunk.x[i], line.y[first + i] = chunk.y[i], line.z[first + i] = chunk.z[i];
                line.seen[first + i] = chunk.seen[i];
            }
            for (int i = begin; i < end; ++i)
                line.tolerance[first + i] = target.tolerance.data[row * width + column + i];
        }
    };
"""
)
"""Expects `native_follow.FOLLOW`, `line_size`, `chunk_size` and `finishes`."""
