#include "wrap/zstd.hh"

#include "base/error.hh"
#include "sys/process.hh"

#include <thread>
#include <zstd.h>

namespace ap {

namespace {

// Memory for five jobs' input and four's output. Smaller jobs leave the threads without
// work now and then, and compress less: they look back half a window into the job before.
constexpr int job_size = 5 << 18;
constexpr int overlap_log = 8;

size_t require(size_t code)
{
    if (ZSTD_isError(code) != 0) {
        throw Error(ExitStatus::TryAgain,
                    std::string("cannot compress: ") + ZSTD_getErrorName(code));
    }
    return code;
}

} // namespace

void ZstdWriter::Free::operator()(ZSTD_CCtx_s *context) const noexcept
{
    static_cast<void>(ZSTD_freeCCtx(context));
}

ZstdWriter::ZstdWriter(ByteSink sink, int level, int threads)
    : sink_(std::move(sink))
    , buffer_(ZSTD_CStreamOutSize(), '\0')
    , context_(ZSTD_createCCtx())
{
    ZSTD_CCtx *context = context_.get();
    if (context == nullptr) {
        throw Error(ExitStatus::TryAgain, "no memory to compress");
    }
    require(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level));
    require(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1));
    // A library that was built without threads does it all in this one.
    if (threads > 1 &&
        ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_nbWorkers, threads)) == 0) {
        require(ZSTD_CCtx_setParameter(context, ZSTD_c_jobSize, job_size));
        require(ZSTD_CCtx_setParameter(context, ZSTD_c_overlapLog, overlap_log));
        start_threads();
    }
}

// The library's threads have the priority of the one in which they are made: a lower one
// than who gives them their work, so that there always is some, and than whoever else
// wants a processor now and then.
void ZstdWriter::start_threads()
{
    constexpr int behind = 5;
    size_t code = 0;
    std::jthread([&] {
        yield_to_other_threads(behind);
        ZSTD_inBuffer nothing = {nullptr, 0, 0};
        ZSTD_outBuffer output = {buffer_.data(), buffer_.size(), 0};
        code = ZSTD_compressStream2(context_.get(), &output, &nothing, ZSTD_e_continue);
    }).join();
    require(code);
}

void ZstdWriter::write(std::string_view data)
{
    ZSTD_inBuffer input = {data.data(), data.size(), 0};
    while (input.pos < input.size) {
        ZSTD_outBuffer output = {buffer_.data(), buffer_.size(), 0};
        require(ZSTD_compressStream2(context_.get(), &output, &input, ZSTD_e_continue));
        if (output.pos > 0) {
            sink_(std::string_view(buffer_).substr(0, output.pos));
        }
    }
}

void ZstdWriter::finish()
{
    ZSTD_inBuffer input = {nullptr, 0, 0};
    size_t left = 1;
    while (left != 0) {
        ZSTD_outBuffer output = {buffer_.data(), buffer_.size(), 0};
        left = require(ZSTD_compressStream2(context_.get(), &output, &input, ZSTD_e_end));
        sink_(std::string_view(buffer_).substr(0, output.pos));
    }
}

} // namespace ap
