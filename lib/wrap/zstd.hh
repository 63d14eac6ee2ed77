#pragma once

#include "base/bytes.hh"

#include <memory>
#include <string>
#include <string_view>

struct ZSTD_CCtx_s;

namespace ap {

/// Compresses a stream into one zstd frame, with a checksum, in threads of its own if
/// asked to, which yield to all others. Jobs are kept small, so that memory stays at some
/// seven MiB for each thread.
class ZstdWriter
{
public:
    /// `level` from 1 to 19.
    ZstdWriter(ByteSink sink, int level, int threads);

    void write(std::string_view data);

    /// Writes what is left, and the end of the frame.
    void finish();

private:
    struct Free
    {
        void operator()(ZSTD_CCtx_s *context) const noexcept;
    };

    void start_threads();

    ByteSink sink_;
    std::string buffer_;
    std::unique_ptr<ZSTD_CCtx_s, Free> context_;
};

} // namespace ap
