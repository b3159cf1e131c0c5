"""Pictures of many files brought into one: out of an archive on the web, and of folders of many kinds."""
