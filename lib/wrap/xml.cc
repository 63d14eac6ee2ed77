#include "wrap/xml.hh"

#include "base/error.hh"

#include <climits>
#include <exception>
#include <expat.h>
#include <memory>
#include <type_traits>

namespace ap {

namespace {

struct FreeParser
{
    void operator()(XML_Parser parser) const noexcept { XML_ParserFree(parser); }
};
using Parser = std::unique_ptr<std::remove_pointer_t<XML_Parser>, FreeParser>;

// What the callbacks share: no exception may pass through expat.
struct Call
{
    XML_Parser parser;
    XmlHandler &handler;
    std::exception_ptr thrown;
    bool has_entities = false;

    template <typename Work>
    void guarded(const Work &work) noexcept
    {
        if (thrown) {
            return;
        }
        try {
            work();
        } catch (...) {
            thrown = std::current_exception();
            XML_StopParser(parser, XML_FALSE);
        }
    }
};

void XMLCALL start(void *data, const XML_Char *name, const XML_Char **attributes)
{
    auto &call = *static_cast<Call *>(data);
    call.guarded([&] {
        XmlHandler::Attributes pairs;
        for (const XML_Char **entry = attributes; *entry != nullptr; entry += 2) {
            pairs.emplace_back(entry[0], entry[1]);
        }
        call.handler.on_start(name, pairs);
    });
}

void XMLCALL end(void *data, const XML_Char *name)
{
    auto &call = *static_cast<Call *>(data);
    call.guarded([&] { call.handler.on_end(name); });
}

void XMLCALL text(void *data, const XML_Char *piece, int length)
{
    auto &call = *static_cast<Call *>(data);
    call.guarded([&] { call.handler.on_text({piece, static_cast<size_t>(length)}); });
}

void XMLCALL entity(void *data, const XML_Char *, int, const XML_Char *, int,
                    const XML_Char *, const XML_Char *, const XML_Char *,
                    const XML_Char *)
{
    auto &call = *static_cast<Call *>(data);
    call.has_entities = true;
    XML_StopParser(call.parser, XML_FALSE);
}

} // namespace

void parse_xml(std::string_view document, std::string_view source, XmlHandler &handler)
{
    const Parser parser(XML_ParserCreate(nullptr));
    if (!parser) {
        throw Error(ExitStatus::TryAgain, "no memory for an XML parser");
    }
    Call call{parser.get(), handler, nullptr};
    XML_SetUserData(parser.get(), &call);
    XML_SetElementHandler(parser.get(), start, end);
    XML_SetCharacterDataHandler(parser.get(), text);
    XML_SetEntityDeclHandler(parser.get(), entity);
    XML_Status status = XML_STATUS_OK;
    while (status == XML_STATUS_OK) {
        const std::string_view piece = document.substr(0, INT_MAX / 2);
        document.remove_prefix(piece.size());
        status = XML_Parse(parser.get(), piece.data(), static_cast<int>(piece.size()),
                           document.empty() ? XML_TRUE : XML_FALSE);
        if (document.empty()) {
            break;
        }
    }
    if (call.thrown) {
        std::rethrow_exception(call.thrown);
    }
    if (status != XML_STATUS_OK) {
        throw Error(
            ExitStatus::BadData,
            std::string(source) + ": line " +
                std::to_string(XML_GetCurrentLineNumber(parser.get())) + ", column " +
                std::to_string(XML_GetCurrentColumnNumber(parser.get()) + 1) + ": " +
                (call.has_entities ? "entities are not allowed"
                                   : XML_ErrorString(XML_GetErrorCode(parser.get()))));
    }
}

} // namespace ap
