#include "domain/usage_strip.hh"

namespace ap {

namespace {

constexpr size_t longest_held = size_t{64} * 1024;

} // namespace

// Reads the event under way and decides at its end.
class UsageStrip::Reader final : public SseSplitter::Handler, public JsonScanner::Handler
{
public:
    Reader(UsageStrip &strip, std::string_view bytes, std::string &out)
        : strip_(strip)
        , bytes_(bytes)
        , first_(strip.splitter_.offset())
        , out_(out)
    {
    }

    void on_data(std::string_view piece) override { strip_.scanner_.feed(piece, *this); }

    void on_scalar(std::string_view, const JsonScanner::Scalar &) override {}

    void on_open(std::string_view path, char kind, uint64_t) override
    {
        strip_.has_usage_ = strip_.has_usage_ || (path == "usage" && kind == '{');
        strip_.has_choices_ = strip_.has_choices_ || path == "choices/*";
    }

    void on_event(uint64_t end) override
    {
        take_until(end);
        strip_.ended_in_cr_ = bytes_[taken_ - 1] == '\r';
        const bool drop = strip_.has_usage_ && !strip_.has_choices_ &&
                          !strip_.too_long_ && strip_.scanner_.complete();
        if (drop) {
            strip_.stripped_ = true;
        } else {
            out_ += strip_.held_;
        }
        strip_.line_feed_ = drop ? LineFeed::Dropped : LineFeed::Passes;
        strip_.held_.clear();
        strip_.too_long_ = strip_.has_usage_ = strip_.has_choices_ = false;
        strip_.scanner_.reset();
    }

    // Holds, or passes if there is too much of it, the bytes before offset `end`.
    void take_until(uint64_t end)
    {
        std::string_view piece =
            bytes_.substr(taken_, static_cast<size_t>(end - first_) - taken_);
        taken_ += piece.size();
        if (strip_.line_feed_ != LineFeed::Held && !piece.empty()) {
            if (piece.front() == '\n' && strip_.ended_in_cr_) {
                out_ += strip_.line_feed_ == LineFeed::Passes ? "\n" : "";
                piece.remove_prefix(1);
            }
            strip_.line_feed_ = LineFeed::Held;
        }
        strip_.held_ += piece;
        if (strip_.too_long_ || strip_.held_.size() > longest_held) {
            strip_.too_long_ = true;
            out_ += strip_.held_;
            strip_.held_.clear();
        }
    }

private:
    UsageStrip &strip_;
    std::string_view bytes_;
    uint64_t first_;
    size_t taken_ = 0;
    std::string &out_;
};

void UsageStrip::feed(std::string_view bytes, std::string &out)
{
    Reader reader(*this, bytes, out);
    splitter_.feed(bytes, reader);
    reader.take_until(splitter_.offset());
}

void UsageStrip::finish(std::string &out)
{
    out += held_;
    held_.clear();
}

} // namespace ap
