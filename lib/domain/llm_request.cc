#include "domain/llm_request.hh"

#include "base/error.hh"

namespace ap {

namespace {

Json message(const char *role, const std::string &content)
{
    return Json::object().set("role", role).set("content", content);
}

// The conversation, of which `write` makes one message each; `model` is what the dialect
// calls the model's part.
Json messages_of(const LlmPrompt &prompt, const char *model,
                 Json (*write)(const char *role, const std::string &text),
                 Json messages = Json::array())
{
    messages.append(write("user", prompt.text));
    for (const LlmTurn &turn : prompt.turns) {
        messages.append(write(model, turn.answer));
        messages.append(write("user", turn.reply));
    }
    return messages;
}

Json text_parts(const std::string &text)
{
    return Json::array().append(Json::object().set("text", text));
}

Json content(const char *role, const std::string &text)
{
    return Json::object().set("role", role).set("parts", text_parts(text));
}

LlmRequest anthropic_request(const LlmEndpoint &endpoint, const LlmPrompt &prompt)
{
    Json body = Json::object();
    body.set("model", prompt.model)
        .set("max_tokens", prompt.max_tokens.value_or(anthropic_max_tokens))
        .set("stream", true);
    if (!prompt.system.empty()) {
        body.set("system", prompt.system);
    }
    body.set("messages", messages_of(prompt, "assistant", message));
    return {endpoint.base_url,
            "/v1/messages",
            {{"anthropic-version", "2023-06-01"}, {"x-api-key", endpoint.key}},
            body.dump()};
}

LlmRequest openai_request(const LlmEndpoint &endpoint, const LlmPrompt &prompt)
{
    Json messages = Json::array();
    if (!prompt.system.empty()) {
        messages.append(message("system", prompt.system));
    }
    messages = messages_of(prompt, "assistant", message, messages);
    Json body = Json::object();
    body.set("model", prompt.model)
        .set("stream", true)
        .set("stream_options", Json::object().set("include_usage", true))
        .set("messages", messages);
    if (prompt.max_tokens) {
        // The name that OpenAI's own newer models insist on; compatible servers know the
        // old one.
        const bool own = endpoint.base_url.find("api.openai.com") != std::string::npos ||
                         endpoint.gateway;
        body.set(own ? "max_completion_tokens" : "max_tokens", *prompt.max_tokens);
    }
    return {endpoint.base_url,
            "/chat/completions",
            {{"authorization", "Bearer " + endpoint.key}},
            body.dump()};
}

LlmRequest gemini_request(const LlmEndpoint &endpoint, const LlmPrompt &prompt)
{
    Json body = Json::object();
    if (!prompt.system.empty()) {
        body.set("systemInstruction",
                 Json::object().set("parts", text_parts(prompt.system)));
    }
    body.set("contents", messages_of(prompt, "model", content));
    if (prompt.max_tokens) {
        body.set("generationConfig",
                 Json::object().set("maxOutputTokens", *prompt.max_tokens));
    }
    return {endpoint.base_url,
            "/v1beta/models/" + prompt.model + ":streamGenerateContent?alt=sse",
            {{"x-goog-api-key", endpoint.key}},
            body.dump()};
}

LlmRequest request_of(LlmDialect dialect, const LlmEndpoint &endpoint,
                      const LlmPrompt &prompt)
{
    switch (dialect) {
    case LlmDialect::Anthropic:
        return anthropic_request(endpoint, prompt);
    case LlmDialect::OpenAi:
        return openai_request(endpoint, prompt);
    case LlmDialect::Gemini:
        return gemini_request(endpoint, prompt);
    }
    throw Error(ExitStatus::Bug, "no such dialect");
}

} // namespace

LlmRequest make_llm_request(LlmDialect dialect, const LlmEndpoint &endpoint,
                            const LlmPrompt &prompt)
{
    LlmRequest request = request_of(dialect, endpoint, prompt);
    request.url += request.target;
    request.fields.insert(request.fields.begin(), {{"content-type", "application/json"},
                                                   {"accept", "text/event-stream"},
                                                   {"user-agent", "ap-llm/" AP_VERSION}});
    if (endpoint.key.empty()) {
        request.fields.pop_back();
    }
    return request;
}

} // namespace ap
