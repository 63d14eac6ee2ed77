#include "domain/plan_positions.hh"

#include "wrap/json.hh"

namespace ap {

namespace {

// Walks over valid JSON text with the pointer of the current value in hand. Recursive:
// jansson has refused anything nested deeper than 2,048 levels.
class PointerScanner
{
public:
    PointerScanner(std::string_view text,
                   std::unordered_map<std::string, TextPosition> &wanted)
        : text_(text)
        , wanted_(wanted)
    {
    }

    void scan()
    {
        skip_blanks();
        note(here());
        value();
    }

private:
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    TextPosition here() const { return {at_, line_}; }

    void note(TextPosition position)
    {
        const auto found = wanted_.find(pointer_);
        if (found != wanted_.end()) {
            found->second = position;
        }
    }

    void skip_blanks()
    {
        for (; at_ < text_.size(); at_++) {
            if (text_[at_] == '\n') {
                line_++;
            } else if (text_[at_] != ' ' && text_[at_] != '\t' && text_[at_] != '\r') {
                return;
            }
        }
    }

    // The string at hand with its quotes; JSON strings hold no bare newlines.
    std::string_view string()
    {
        const size_t start = at_;
        for (at_++; at_ < text_.size() && text_[at_] != '"'; at_++) {
            if (text_[at_] == '\\') {
                at_++;
            }
        }
        at_++;
        return text_.substr(start, at_ - start);
    }

    std::string key()
    {
        const std::string_view quoted = string();
        if (quoted.find('\\') == std::string_view::npos) {
            return std::string(quoted.substr(1, quoted.size() - 2));
        }
        const auto decoded = Json::try_parse(quoted);
        return decoded ? decoded->as_string() : std::string();
    }

    void value()
    {
        skip_blanks();
        switch (peek()) {
        case '{':
            members();
            break;
        case '[':
            elements();
            break;
        case '"':
            static_cast<void>(string());
            break;
        default:
            at_ = std::min(text_.find_first_of(",]} \t\r\n", at_), text_.size());
            break;
        }
        skip_blanks();
    }

    void members()
    {
        at_++;
        skip_blanks();
        const size_t length = pointer_.size();
        while (at_ < text_.size() && peek() != '}') {
            const TextPosition position = here();
            pointer_ = json_pointer(pointer_, key());
            note(position);
            skip_blanks();
            at_++;
            value();
            pointer_.resize(length);
            skip_comma();
        }
        at_++;
    }

    void elements()
    {
        at_++;
        skip_blanks();
        const size_t length = pointer_.size();
        for (size_t index = 0; at_ < text_.size() && peek() != ']'; index++) {
            pointer_ = json_pointer(pointer_, index);
            note(here());
            value();
            pointer_.resize(length);
            skip_comma();
        }
        at_++;
    }

    void skip_comma()
    {
        if (peek() == ',') {
            at_++;
            skip_blanks();
        }
    }

    std::string_view text_;
    std::unordered_map<std::string, TextPosition> &wanted_;
    std::string pointer_;
    size_t at_ = 0;
    int line_ = 1;
};

} // namespace

std::string json_pointer(std::string_view parent, std::string_view name)
{
    std::string pointer(parent);
    pointer += '/';
    for (const char c : name) {
        if (c == '~') {
            pointer += "~0";
        } else if (c == '/') {
            pointer += "~1";
        } else {
            pointer += c;
        }
    }
    return pointer;
}

std::string json_pointer(std::string_view parent, size_t index)
{
    return std::string(parent) + "/" + std::to_string(index);
}

void locate_pointers(std::string_view text,
                     std::unordered_map<std::string, TextPosition> &wanted)
{
    PointerScanner(text, wanted).scan();
}

} // namespace ap
