#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ap {

/// Hears what an XML document consists of. Text comes in pieces.
class XmlHandler
{
public:
    using Attributes = std::vector<std::pair<std::string, std::string>>;

    virtual ~XmlHandler() = default;
    virtual void on_start(std::string_view name, const Attributes &attributes) = 0;
    virtual void on_text(std::string_view text) = 0;
    virtual void on_end(std::string_view name) = 0;
};

/// Reads a document of XML (expat). One that declares entities is refused: they can stand
/// for gigabytes. Throws Error(BadData) "`source`: line L, column C: ...", and whatever
/// the handler throws.
void parse_xml(std::string_view document, std::string_view source, XmlHandler &handler);

} // namespace ap
