"""MCP: an account for AI agents, over stdio (`webwx mcp`) and over HTTP at the gateway."""
