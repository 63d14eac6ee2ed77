#include "check.hh"
#include "exchanges.hh"

#include "net/event_stream.hh"

using namespace ap;
using check::FakeConnection;

namespace {

std::string answer_field(FakeConnection &connection, std::string_view wanted)
{
    std::string value = "none";
    connection.exchange->answer_fields().each([&](const char *name, const char *text) {
        if (same_field_name(name, wanted)) {
            value = text;
        }
    });
    return value;
}

void compresses_for_whom_accepts_it()
{
    FakeConnection plain("/");
    FakeConnection gzip("/", {{"Accept-Encoding", "gzip, deflate"}});
    FakeConnection refusing("/", {{"Accept-Encoding", "gzip;q=0, br"}});
    for (FakeConnection *connection : {&plain, &gzip, &refusing}) {
        const EventStream stream(connection->exchange, false);
        CHECK_EQUAL(answer_field(*connection, "Vary"), "Accept-Encoding");
        CHECK_EQUAL(answer_field(*connection, "Content-Type"), "text/event-stream");
    }
    CHECK_EQUAL(answer_field(plain, "Content-Encoding"), "none");
    CHECK_EQUAL(answer_field(gzip, "Content-Encoding"), "gzip");
    CHECK_EQUAL(answer_field(refusing, "Content-Encoding"), "none");
    CHECK_EQUAL(plain.sent(), "");
    CHECK_EQUAL(gzip.sent(), GzipStream::beginning());
}

void a_text_is_compressed_once_for_all_streams()
{
    GzipCompressor compressor;
    StreamText text(std::string(10'000, 'x'), compressor);
    const auto piece = text.compressed();
    FakeConnection one("/", {{"Accept-Encoding", "gzip"}});
    FakeConnection two("/", {{"Accept-Encoding", "gzip"}});
    for (FakeConnection *connection : {&one, &two}) {
        EventStream stream(connection->exchange, false);
        stream.write(text);
        CHECK_EQUAL(connection->exchange->queued(),
                    GzipStream::beginning().size() + piece->bytes.size());
    }
    CHECK(text.compressed() == piece);
    CHECK(piece.use_count() >= 4); // shared by the queues, not copied
}

void an_empty_text_sends_nothing()
{
    GzipCompressor compressor;
    StreamText nothing("", compressor);
    FakeConnection connection("/", {{"Accept-Encoding", "gzip"}});
    EventStream stream(connection.exchange, false);
    stream.write(nothing);
    CHECK_EQUAL(connection.sent(), GzipStream::beginning());
}

void a_client_for_whom_too_much_waits_is_cut_off()
{
    GzipCompressor compressor;
    StreamText text(std::string(100, 'x'), compressor);
    FakeConnection connection("/");
    EventStream stream(connection.exchange, false);
    stream.write(text);
    stream.cut_off_if_longer(100);
    CHECK(!connection.exchange->aborted());
    stream.cut_off_if_longer(99);
    CHECK(connection.exchange->aborted());
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(compresses_for_whom_accepts_it),
        TEST(a_text_is_compressed_once_for_all_streams),
        TEST(an_empty_text_sends_nothing),
        TEST(a_client_for_whom_too_much_waits_is_cut_off),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
