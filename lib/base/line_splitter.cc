#include "base/line_splitter.hh"

#include <utility>

namespace ap {

namespace {

constexpr size_t shown_of_overlong = 200;

} // namespace

void LineSplitter::feed(std::string_view piece, const Handler &on_line,
                        const Handler &on_overlong)
{
    for (size_t end = 0; (end = piece.find('\n')) != std::string_view::npos;) {
        collect(piece.substr(0, end), on_overlong);
        fed_ += 1;
        given_ = fed_;
        if (!std::exchange(dropping_, false)) {
            on_line(std::exchange(partial_, {}));
        }
        piece.remove_prefix(end + 1);
    }
    collect(piece, on_overlong);
}

void LineSplitter::finish(const Handler &on_line)
{
    given_ = fed_;
    dropping_ = false;
    if (!partial_.empty()) {
        on_line(std::exchange(partial_, {}));
    }
}

// Adds a piece to the line that is being read, unless that gets too long.
void LineSplitter::collect(std::string_view piece, const Handler &on_overlong)
{
    fed_ += static_cast<int64_t>(piece.size());
    if (dropping_) {
        return;
    }
    partial_ += piece;
    if (partial_.size() > longest_line) {
        dropping_ = true;
        on_overlong(std::exchange(partial_, {}).substr(0, shown_of_overlong));
    }
}

} // namespace ap
