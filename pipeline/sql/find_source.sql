SELECT kind, channel, options, heard_until FROM source WHERE name = $source;
