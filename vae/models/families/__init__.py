"""The families of models: what z is, and how it is read off a picture and becomes one."""
